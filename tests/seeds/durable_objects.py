"""Blocks of the users' page on durable objects, as they wrote them.

Only the imports differ, and the class that they leave out (`ShippingProcessor`) is made up.
"""

# Their layout and their types are theirs: bare `dict` and `list`, blanks at the ends of lines.
# mypy: disable-error-code="type-arg, no-any-return, var-annotated"
# ruff: noqa: E501, W291, W293, RET504
# fmt: off

from perdure import DurableContext, DurableObject, ctx, durable, workflow
from tests.seeds.durable_primitives import data_pipeline


@durable.object
class OrderProcessor(DurableObject):
    """Order processing with custom state management."""
    
    def __init__(self, order_id: str):
        super().__init__(order_id)
        self.order_id = order_id
        self.status = "created"
        self.items = []
        self.processing_steps = []
        self.error_count = 0
    
    async def add_item(self, item_data: dict) -> dict:
        """Add item with automatic state persistence."""
        self.items.append(item_data)
        self.processing_steps.append(f"Added item: {item_data['id']}")
        
        # State automatically persists after method execution
        return {"added": True, "total_items": len(self.items)}
    
    async def process_order(self, ctx: DurableContext) -> dict:
        """Process order with custom external service integration."""
        try:
            self.status = "processing"
            self.processing_steps.append("Processing started")
            
            # Validate inventory with durable service call
            inventory_result = await ctx.call(
                "inventory_service", 
                "check_availability", 
                {"items": self.items}
            )
            
            if not inventory_result["available"]:
                self.status = "insufficient_inventory"
                return {"success": False, "error": "Insufficient inventory"}
            
            # Process payment
            payment_result = await ctx.call(
                "payment_service",
                "charge",
                {
                    "order_id": self.order_id,
                    "amount": self.calculate_total()
                }
            )
            
            if payment_result["success"]:
                self.status = "paid"
                self.processing_steps.append("Payment processed")
                
                # Schedule fulfillment
                fulfillment = await ctx.call(
                    "fulfillment_service",
                    "schedule",
                    {"order_id": self.order_id, "items": self.items}
                )
                
                self.status = "fulfilled"
                self.processing_steps.append("Fulfillment scheduled")
                
                return {
                    "success": True,
                    "order_id": self.order_id,
                    "fulfillment_id": fulfillment["id"]
                }
            else:
                self.status = "payment_failed"
                return {"success": False, "error": "Payment failed"}
                
        except Exception as e:
            self.error_count += 1
            self.status = "error"
            self.processing_steps.append(f"Error: {str(e)}")
            raise  # Re-raise for retry logic
    
    def calculate_total(self) -> float:
        """Calculate order total."""
        return sum(item.get("price", 0) * item.get("quantity", 1) for item in self.items)


@durable.object
class ShippingProcessor(DurableObject):
    """Books one shipment."""

    def __init__(self, order_id: str):
        super().__init__(order_id)
        self.shipments: list[str] = []

    async def schedule_shipment(self, ctx: DurableContext, result: dict) -> dict:
        if not result["fulfillment_id"]:
            return {"success": False}
        self.shipments.append(f"track-{self.id}-{result['fulfillment_id']}")
        return {"success": True, "tracking_number": self.shipments[-1]}


async def order_management_workflow(ctx: DurableContext, order_data: dict) -> dict:
    """Workflow that manages durable objects."""
    
    order_id = order_data["order_id"]
    
    # Get or create order processor object
    processor = await ctx.get_object(OrderProcessor, order_id)
    
    # Add items to order
    for item in order_data["items"]:
        await processor.add_item(item)
    
    # Process the order
    processing_result = await processor.process_order(ctx)
    
    if processing_result["success"]:
        # Create shipping object
        shipper = await ctx.get_object(ShippingProcessor, order_id)
        shipping_result = await shipper.schedule_shipment(ctx, processing_result)
        
        return {
            "order_processed": True,
            "shipping_scheduled": shipping_result["success"],
            "tracking_number": shipping_result.get("tracking_number")
        }
    else:
        return {
            "order_processed": False,
            "error": processing_result["error"]
        }


@workflow
async def enhanced_workflow(input_data: dict) -> dict:
    """Workflow enhanced with durable primitives."""
    
    # Use durable flow for complex orchestration
    pipeline_result = await data_pipeline(input_data["sources"])
    
    # Use durable object for state management
    processor = await OrderProcessor.get_or_create(input_data["order_id"])
    order_result = await processor.process_order(ctx)
    
    return {
        "pipeline": pipeline_result,
        "order": order_result
    }
