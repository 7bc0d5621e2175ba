// A client of Perdure: proto/spec/protocol.md, section 3, by unary calls and streams.
//
// Repeats what may be repeated: a start whose answer was lost (with the same request id) and a wait
// whose stream broke. Never polls. A journal's stream that breaks goes on behind its last entry.

import { randomUUID } from 'node:crypto';

import { PerdureError, backoff, connectClient, decoded, payload, protocolMetadata, typedError } from './perdure.mjs';

/** The time since the coordinator was last heard of, and how often it was tried since. */
class Outage {
  constructor(retryMs) {
    this.retryMs = retryMs;
    this.over();
  }

  /** The coordinator was heard. */
  over() {
    this.sinceMs = null;
    this.tries = 0;
  }

  /** Waits before the next try; throws the error when it is not worth one, or after `retryMs`. */
  async wait(error) {
    this.sinceMs ??= Date.now();
    if (!error.repeatable || Date.now() - this.sinceMs > this.retryMs) throw error;
    this.tries += 1;
    await backoff(this.tries, Number(error.detail.retryAfterMs ?? 0));
  }
}

export class DurableClient {
  /** retryMs: for how long an unreachable coordinator is tried again. */
  constructor(endpoint, { namespace = 'default', protocol, retryMs = 60_000 } = {}) {
    this.client = connectClient(endpoint);
    this.metadata = protocolMetadata(protocol);
    this.namespace = namespace;
    this.retryMs = retryMs;
  }

  /** Starts `service/method`, or attaches to the execution that has the id. Durable when it returns. */
  start(service, method, input, { id = randomUUID(), idPolicy = 'ID_POLICY_ATTACH' } = {}) {
    return this.call('start', {
      namespace: this.namespace,
      requestId: randomUUID(), // one for all tries: it is carried out once
      id,
      target: { service, method },
      input: payload(input),
      idPolicy,
    });
  }

  describe(id) {
    return this.call('describe', { namespace: this.namespace, id });
  }

  /** How the execution ended, pushed by the coordinator: {status, reason, result?, failure?}. */
  async result(id) {
    const outage = new Outage(this.retryMs);
    for (;;) {
      try {
        for await (const reply of this.stream('wait', { namespace: this.namespace, id })) {
          outage.over();
          if (reply.reply === 'outcome') return outcomeOf(reply.outcome);
          if (reply.reply !== 'keepalive') throw new PerdureError('ProtocolError', 'a reply of an unknown kind');
        }
        throw new PerdureError('CoordinatorUnavailableError', 'the wait ended without an outcome');
      } catch (error) {
        await outage.wait(error);
      }
    }
  }

  /** The journal's entries in index order; with `follow` until the execution ends. */
  async* history(id, { fromIndex = 0, follow = false } = {}) {
    const outage = new Outage(this.retryMs);
    for (let next = fromIndex; ;) {
      try {
        const request = { namespace: this.namespace, id, fromIndex: next, follow };
        for await (const page of this.stream('history', request)) {
          outage.over();
          for (const entry of page.entries) {
            if (entry.kind === undefined) throw new PerdureError('ProtocolError', 'a journal entry of an unknown kind');
            next = Number(entry.index) + 1;
            yield entry;
          }
        }
        return;
      } catch (error) {
        await outage.wait(error);
      }
    }
  }

  close() {
    this.client.close();
  }

  async call(name, request) {
    const outage = new Outage(this.retryMs);
    for (;;) {
      try {
        return await new Promise((resolve, reject) => {
          this.client[name](request, this.metadata, (error, reply) => (error ? reject(error) : resolve(reply)));
        });
      } catch (error) {
        await outage.wait(typedError(error));
      }
    }
  }

  async* stream(name, request) {
    const call = this.client[name](request, this.metadata);
    call.on('error', () => {}); // the iterator throws it; after the end nobody wants it
    try {
      yield* call;
    } catch (error) {
      throw typedError(error);
    } finally {
      call.cancel();
    }
  }
}

function outcomeOf({ status, reason, outcome, resultJson, result, failure }) {
  if (status === 'STATUS_COMPLETED') return { status, reason, result: decoded(resultJson ?? result) };
  return { status, reason, ...(outcome === 'failure' ? { failure } : {}) };
}
