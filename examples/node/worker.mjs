// The service `payments` in Node: one plain handler, `charge`, that a Python flow reaches by ctx.call.
//
//     node worker.mjs --endpoint http://localhost:8080 --provider http://localhost:9000/charges
//
// Durability is in two places. The coordinator records the outcome of a charge exactly once. The
// handler itself may be started again after a crash, so it hands its idempotency key to the payment
// provider, which charges once for each key. `--witness FILE` appends what happens, on disk before
// the handler goes on.

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { HandlerWorker } from './handler_worker.mjs';

const { values: options } = parseArgs({
  options: {
    endpoint: { type: 'string', default: process.env.PERDURE_ENDPOINT ?? 'http://localhost:8080' },
    namespace: { type: 'string', default: 'default' },
    slots: { type: 'string', default: '10' },
    provider: { type: 'string' },
    witness: { type: 'string' },
  },
});

const witnessFile = options.witness && openSync(options.witness, 'a');

function witness(what, order, key) {
  if (!witnessFile) return;
  writeSync(witnessFile, `${what} ${order} ${key}\n`);
  fsyncSync(witnessFile);
}

class CardDeclined extends Error {
  name = 'CardDeclined';

  notRetryable = true;
}

/** Asks the provider for the money; without a provider, a made-up receipt. */
async function provided(charge, key, signal) {
  if (!options.provider) return `receipt-${key.slice(0, 8)}`;
  const answer = await fetch(options.provider, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(charge),
    signal,
  });
  // Thrown as it is, so the policy of the call retries it, under the same key.
  if (!answer.ok) throw new Error(`the provider answered ${answer.status}`);
  return (await answer.json()).receipt;
}

async function charge({ order, amount }, { idempotencyKey, signal }) {
  if (!(amount > 0)) throw new CardDeclined(`cannot charge ${amount}`);
  witness('begin', order, idempotencyKey);
  const receipt = await provided({ order, amount }, idempotencyKey, signal);
  witness('end', order, idempotencyKey);
  return { order, amount, receipt };
}

const worker = new HandlerWorker(options.endpoint, { payments: { charge } }, {
  namespace: options.namespace,
  slots: Number(options.slots),
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => worker.stop());
try {
  await worker.run();
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
} finally {
  if (witnessFile) closeSync(witnessFile);
}
