// A worker of plain handlers: proto/spec/protocol.md, section 4, and nothing more.
//
// Runs what the coordinator hands over, sends each outcome, reconnects by itself. It keeps nothing:
// an activation whose stream broke is handed over again, so a handler may run more than once for one
// recorded result. Its idempotency key is the same each time.

import { randomUUID } from 'node:crypto';

import {
  PerdureError, backoff, connectWorker, decoded, failure, resultJson, typedError,
} from './perdure.mjs';

/** One handler in progress: between `activate` and `evict`, or the end of the stream. */
class Activation {
  constructor({ epoch, id, attempt, target }) {
    Object.assign(this, { epoch, id, attempt: Number(attempt), target });
    this.abort = new AbortController();
    this.interruption = null; // {cancelled: true} or {timedOut: true}, with consumed, once it was asked for
    this.created = null;
    this.input = null;
    this.consumed = 0;
  }

  /** Takes a page of the journal. */
  read(entries) {
    for (const entry of entries) {
      if (entry.kind === undefined) throw new PerdureError('ProtocolError', 'a journal entry of an unknown kind');
      if (entry.kind === 'executionCreated') {
        this.created = entry.executionCreated;
        this.input = this.created.input;
      } else if (entry.kind === 'executionRetried') {
        this.input = entry.executionRetried.input ?? this.input;
        this.interruption = null;
      } else {
        this.interruption = this.interrupted(entry) ?? this.interruption;
      }
      this.consumed = Number(entry.index);
    }
  }

  /** What to finish with if this entry asks this attempt to stop, else null. */
  interrupted(entry) {
    const consumed = Number(entry.index);
    if (entry.kind === 'cancelRequested') return { cancelled: true, consumed };
    const own = entry.kind === 'attemptTimedOut' && Number(entry.attemptTimedOut.attempt) === this.attempt;
    return own ? { timedOut: true, consumed } : null;
  }

  /** Takes news: for a handler, only that it should stop. */
  hear(entry) {
    const interruption = this.interrupted(entry);
    if (!interruption) throw new PerdureError('ProtocolError', `no entry for a handler: ${entry.kind ?? 'unknown kind'}`);
    this.interruption = interruption;
    this.abort.abort(new PerdureError('ExecutionCancelledError', 'the execution was asked to stop'));
  }
}

export class HandlerWorker {
  /**
   * @param endpoint where the coordinator listens
   * @param handlers {service: {method: async (input, {idempotencyKey, id, attempt, signal}) => result}}
   * @param options namespace; slots: how many handlers run at a time; say: takes lines for people
   */
  constructor(endpoint, handlers, { namespace = 'default', slots = 10, say = console.log } = {}) {
    Object.assign(this, { endpoint, handlers, namespace, slots, say });
    this.workerId = `node-${process.pid}-${randomUUID()}`;
    this.activations = new Map();
    this.stream = null;
    this.stopping = false;
  }

  /** Serves until `stop`; throws when the coordinator refuses this worker. */
  async run() {
    const client = connectWorker(this.endpoint);
    try {
      for (let tries = 1; !this.stopping; tries += 1) {
        const { welcomed, error } = await this.session(client);
        if (error?.name === 'ProtocolError' || error?.refused) throw error;
        if (this.stopping) break;
        if (welcomed) tries = 1;
        if (tries === 1) this.say(`disconnected, trying again: ${error?.message ?? 'the stream ended'}`);
        await backoff(tries);
      }
    } finally {
      client.close();
    }
  }

  /** Takes no more work, finishes what runs, then `run` returns. */
  stop() {
    if (this.stopping) return;
    this.stopping = true;
    this.send({ drain: {} });
    this.closeWhenIdle();
  }

  /** One stream from Hello to its end. Never throws. */
  session(client) {
    return new Promise((resolve) => {
      const outcome = { welcomed: false, error: null };
      const stream = client.session();
      this.stream = stream;
      let heartbeats;
      stream.on('data', (frame) => {
        try {
          for (const message of frame.messages) {
            if (message.message === 'welcome') {
              outcome.welcomed = true;
              heartbeats = setInterval(() => this.send({ heartbeat: {} }), Number(message.welcome.leaseMs) / 3);
              this.say(`registered as ${this.workerId}`);
            }
            this.receive(message);
          }
        } catch (error) {
          outcome.error ??= error;
          stream.cancel();
        }
      });
      stream.on('error', (error) => {
        outcome.error ??= typedError(error);
      });
      // 'status' comes once for each call, whether it ended well, badly or by cancel().
      stream.on('status', () => {
        clearInterval(heartbeats);
        this.stream = null;
        for (const activation of this.activations.values()) this.drop(activation, 'the stream broke');
        resolve(outcome);
      });
      this.send({ hello: this.hello() });
    });
  }

  hello() {
    const methods = Object.entries(this.handlers).flatMap(([service, named]) =>
      Object.keys(named).map((method) => ({ service, method, kind: 'handler' })));
    return {
      workerId: this.workerId,
      namespace: this.namespace,
      protocolMin: 1,
      protocolMax: 1,
      methods,
      slots: this.slots,
      encodings: ['json'],
    };
  }

  send(message) {
    this.stream?.write({ messages: [message] });
  }

  receive(message) {
    switch (message.message) {
      case 'welcome':
      case 'heartbeat':
        return;
      case 'refused':
        throw Object.assign(new PerdureError(message.refused.code, message.refused.message), { refused: true });
      case 'activate': {
        const activation = new Activation(message.activate);
        this.activations.set(activation.epoch, activation);
        this.page(activation, message.activate);
        return;
      }
      case 'journal': {
        const activation = this.activations.get(message.journal.epoch);
        if (activation) this.page(activation, message.journal);
        return;
      }
      case 'entries': {
        const activation = this.activations.get(message.entries.epoch);
        for (const delivery of message.entries.items) activation?.hear(delivery.entry ?? {});
        return;
      }
      case 'evict': {
        const activation = this.activations.get(message.evict.epoch);
        if (activation) this.drop(activation, message.evict.reason);
        this.closeWhenIdle();
        return;
      }
      case 'drain':
        this.say('the coordinator is about to stop');
        return;
      default:
        throw new PerdureError('ProtocolError', `not for a worker of handlers: ${message.message ?? 'unknown kind'}`);
    }
  }

  page(activation, { entries, more }) {
    activation.read(entries);
    if (!more) this.execute(activation);
  }

  async execute(activation) {
    const { service, method } = activation.target;
    const handler = this.handlers[service]?.[method];
    if (!handler) {
      this.send({ release: { epoch: activation.epoch, reason: `no handler ${service}/${method}` } });
      this.drop(activation, 'released');
      return;
    }
    if (activation.interruption) { // asked for before a crash: nobody wants the effect any more
      this.finish(activation, activation.interruption);
      return;
    }
    try {
      const result = await handler(decoded(activation.input), {
        idempotencyKey: activation.created.keyBase.toString('hex'),
        id: activation.id,
        attempt: activation.attempt,
        signal: activation.abort.signal,
      });
      // Also when it was asked to stop: with the old `consumed` its result wins if it is in time.
      this.finish(activation, { resultJson: resultJson(result) });
    } catch (error) {
      this.finish(activation, activation.interruption ?? { failure: failure(error) });
    }
  }

  /** Reports the outcome, unless the activation is over: then whoever holds it now reports it. */
  finish(activation, outcome) {
    if (this.activations.get(activation.epoch) !== activation) return;
    this.send({ finish: { epoch: activation.epoch, base: 0, consumed: activation.consumed, ...outcome } });
  }

  drop(activation, reason) {
    this.activations.delete(activation.epoch);
    activation.abort.abort(new PerdureError('ExecutionCancelledError', reason));
  }

  closeWhenIdle() {
    if (!this.stopping || this.activations.size > 0) return;
    this.stream?.end();
    this.stream = null; // nothing is written behind the end
  }
}
