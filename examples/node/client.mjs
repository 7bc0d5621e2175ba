// Starts a Python flow from Node, waits for its result, and shows what bad input gives.
//
//     node client.mjs --endpoint http://localhost:8080 [--id order-1]
//
// Needs the flow `shop/checkout` of shop.py and the handler `payments/charge` of worker.mjs. Prints one
// line per step and exits with 0 only if all were as expected; running it again attaches to the same
// execution.

import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

import { DurableClient } from './durable_client.mjs';
import { PerdureError } from './perdure.mjs';

const PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;

const { values: options } = parseArgs({
  options: {
    endpoint: { type: 'string', default: process.env.PERDURE_ENDPOINT ?? 'http://localhost:8080' },
    namespace: { type: 'string', default: 'default' },
    id: { type: 'string', default: `order-${randomUUID()}` },
  },
});

let unexpected = 0;

function check(what, actual, expected) {
  const good = JSON.stringify(actual) === JSON.stringify(expected);
  if (!good) unexpected += 1;
  console.log(`${good ? 'ok' : 'NOT AS EXPECTED'}  ${what}: ${JSON.stringify(actual)}`);
  if (!good) console.log(`    expected ${JSON.stringify(expected)}`);
}

/** Checks the name of the typed error and the gRPC status that it came with. */
async function refused(what, request, name, status) {
  try {
    await request();
    check(what, 'no error', `${name} (${status})`);
  } catch (error) {
    if (!(error instanceof PerdureError)) throw error;
    check(what, `${error.name} (${error.status})`, `${name} (${status})`);
    console.log(`    ${error.message.slice(0, 160)}`);
  }
}

async function goodInput(client, order) {
  const started = await client.start('shop', 'checkout', order, { id: options.id });
  check('started', started.id, options.id);
  const outcome = await client.result(options.id);
  check('outcome', [outcome.status, outcome.result?.total], ['STATUS_COMPLETED', order.amount]);
  console.log(`    ${JSON.stringify(outcome.result)}`);

  // The same id with the same input attaches, whatever the order of the keys.
  const again = await client.start('shop', 'checkout', Object.fromEntries(Object.entries(order).reverse()), { id: options.id });
  check('attached', [again.id, again.created], [options.id, false]);
  check('same result', (await client.result(options.id)).result, outcome.result);

  const entries = [];
  for await (const entry of client.history(options.id)) entries.push(entry);
  check('history has no gap', entries.map((entry) => Number(entry.index)), entries.map((_, index) => index));
  check('history begins', entries[0].kind, 'executionCreated');
  check('history ends', entries.at(-1).kind, 'executionEnded');
  const described = await client.describe(options.id);
  check('described', [described.status, described.kind], ['STATUS_COMPLETED', 'flow']);
}

/** How an execution failed is a recorded value, with the names of its own language. */
async function failingInput(client, order) {
  const id = `${options.id}-declined`;
  await client.start('shop', 'checkout', { ...order, amount: -1 }, { id });
  const { status, failure } = await client.result(id);
  check('a declined card', [status, failure?.message], ['STATUS_FAILED', 'cannot charge -1']);
  const failures = [failure, ...failure.causes].map(({ typeName }) => typeName);
  check('its type is recorded', failures.includes('CardDeclined'), true);
}

async function badInput(client, order) {
  const start = (input, more) => client.start('shop', 'checkout', input, more);
  await refused('an id of the engine', () => start(order, { id: '~mine' }), 'InvalidArgumentError', 'INVALID_ARGUMENT');
  await refused('an id with a line break', () => start(order, { id: 'a\nb' }), 'InvalidArgumentError', 'INVALID_ARGUMENT');
  await refused('an id of 256 characters', () => start(order, { id: 'x'.repeat(256) }), 'LimitExceededError', 'INVALID_ARGUMENT');
  await refused('no service', () => client.start('', 'checkout', order), 'InvalidArgumentError', 'INVALID_ARGUMENT');
  await refused('another input for the id', () => start({ ...order, amount: 2 }, { id: options.id }), 'AlreadyExistsError', 'ALREADY_EXISTS');
  await refused('idPolicy reject', () => start(order, { id: options.id, idPolicy: 'ID_POLICY_REJECT' }), 'AlreadyExistsError', 'ALREADY_EXISTS');
  await refused('too large an input', () => start({ ...order, note: 'x'.repeat(PAYLOAD_BYTES_MAX) }), 'LimitExceededError', 'INVALID_ARGUMENT');
  await refused('an unknown execution', () => client.describe('nobody'), 'NotFoundError', 'NOT_FOUND');
  await refused('its result', () => client.result('nobody'), 'NotFoundError', 'NOT_FOUND');
  await refused('its history', async () => { for await (const _ of client.history('nobody')); }, 'NotFoundError', 'NOT_FOUND');
  for (const protocol of ['0-0', '2-2', 'nonsense']) {
    const other = new DurableClient(options.endpoint, { namespace: options.namespace, protocol });
    await refused(`protocol ${protocol}`, () => other.describe(options.id), 'ProtocolError', 'FAILED_PRECONDITION');
    other.close();
  }
}

const client = new DurableClient(options.endpoint, { namespace: options.namespace });
const order = { order: options.id, amount: 12.5, items: ['tea', 'biscuits'] };
try {
  await goodInput(client, order);
  await failingInput(client, order);
  await badInput(client, order);
} finally {
  client.close();
}
console.log(unexpected === 0 ? 'all as expected' : `${unexpected} not as expected`);
process.exitCode = unexpected === 0 ? 0 : 1;
