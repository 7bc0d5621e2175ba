"""Order processing: a durable object, three services in processes of their own, an approval."""
