// What client and worker share: the .proto files, channels, JSON payloads and typed errors.
// Nothing is generated; @grpc/proto-loader reads the public files when the program starts.

import { fileURLToPath } from 'node:url';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

import { digest } from './digest.mjs';

/** Directory of `perdure/v1/*.proto`: this checkout's, unless PERDURE_PROTO says another. */
export const PROTO_ROOT = process.env.PERDURE_PROTO ?? fileURLToPath(new URL('../../proto', import.meta.url));
export const PROTOCOL = '1-1';

const FRAME_BYTES_MAX = 16 * 1024 * 1024;
const PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;
const MESSAGE_CHARACTERS_MAX = 8192;
const TRACEBACK_CHARACTERS_MAX = 16384;

// 64-bit numbers are strings: epochs use the whole range, which no JavaScript number holds.
const definition = protoLoader.loadSync(
  ['client', 'worker', 'common'].map((name) => `perdure/v1/${name}.proto`),
  { includeDirs: [PROTO_ROOT], longs: String, enums: String, defaults: true, oneofs: true },
);
const { ClientService, WorkerService } = grpc.loadPackageDefinition(definition).perdure.v1;
const errorDetail = definition['perdure.v1.ErrorDetail'];

/** Opens a channel to `http://host:port`, `https://host:port` or `host:port`. */
function connected(Service, endpoint) {
  const [, scheme, address] = /^(?:(https?):\/\/)?([^/]+)\/?$/.exec(endpoint) ?? [];
  if (!address) throw new Error(`not an endpoint: ${endpoint}`);
  const credentials = scheme === 'https' ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
  return new Service(address, credentials, {
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.max_receive_message_length': FRAME_BYTES_MAX,
    'grpc.max_reconnect_backoff_ms': 2_000,
  });
}

export const connectClient = (endpoint) => connected(ClientService, endpoint);
export const connectWorker = (endpoint) => connected(WorkerService, endpoint);

export function protocolMetadata(range = PROTOCOL) {
  const metadata = new grpc.Metadata();
  metadata.set('perdure-protocol', range);
  return metadata;
}

/** An error of Perdure: `name` as in proto/spec/errors.md, `status` the name of the gRPC status. */
export class PerdureError extends Error {
  constructor(name, message, status, detail = {}) {
    super(message);
    this.name = name;
    this.status = status;
    this.detail = detail;
  }

  /** True when the request may be repeated with the same request id. */
  get repeatable() {
    return ['CoordinatorUnavailableError', 'OverloadedError'].includes(this.name);
  }
}

// Statuses that gRPC itself makes, or a proxy: the second table of proto/spec/errors.md.
const WITHOUT_DETAIL = {
  UNAVAILABLE: 'CoordinatorUnavailableError',
  CANCELLED: 'CoordinatorUnavailableError',
  DEADLINE_EXCEEDED: 'CoordinatorUnavailableError',
  RESOURCE_EXHAUSTED: 'OverloadedError',
  UNIMPLEMENTED: 'ProtocolError',
  INVALID_ARGUMENT: 'InvalidArgumentError',
  NOT_FOUND: 'NotFoundError',
  ALREADY_EXISTS: 'AlreadyExistsError',
  DATA_LOSS: 'DataLossError',
};

export function typedError(error) {
  if (!(error?.metadata instanceof grpc.Metadata)) return error; // none of gRPC's
  const status = grpc.status[error.code];
  const [bytes] = error.metadata.get('perdure-error-bin');
  if (bytes) {
    const detail = errorDetail.deserialize(bytes);
    return new PerdureError(detail.name, detail.message, status, detail);
  }
  const tooLarge = status === 'RESOURCE_EXHAUSTED' && /larger than max/.test(error.details);
  const name = tooLarge ? 'LimitExceededError' : (WITHOUT_DETAIL[status] ?? 'PerdureError');
  return new PerdureError(name, error.details, status);
}

/** A value as a Payload. */
export function payload(value) {
  return { data: Buffer.from(JSON.stringify(value)), digest: digest(value) };
}

/** The value of a Payload, or of the short form beside it; nothing at all is null. */
export function decoded(message) {
  if (message == null) return null;
  if (Buffer.isBuffer(message)) return JSON.parse(message.toString());
  if (!['', 'json'].includes(message.encoding) || message.metadata?.codecs) {
    throw badValue('SerializationError', `cannot decode ${message.encoding || 'json'} with codecs "${message.metadata?.codecs ?? ''}"`);
  }
  return JSON.parse(message.data.toString());
}

/** The short form of a result. */
export function resultJson(value) {
  const data = Buffer.from(JSON.stringify(value ?? null));
  if (data.length > PAYLOAD_BYTES_MAX) {
    throw badValue('LimitExceededError', `the result is ${data.length} bytes; the limit is ${PAYLOAD_BYTES_MAX}`);
  }
  return data;
}

/** Trying again would give the same. */
function badValue(name, message) {
  return Object.assign(new PerdureError(name, message), { notRetryable: true });
}

/** Any thrown value as a recorded Failure. `notRetryable` and `retryAfterMs` of the error are honoured. */
export function failure(error) {
  const thrown = error instanceof Error ? error : new Error(String(error));
  return {
    typeName: thrown.name,
    message: thrown.message.slice(0, MESSAGE_CHARACTERS_MAX),
    code: 'FAILURE_CODE_APPLICATION',
    tracebackText: (thrown.stack ?? '').slice(0, TRACEBACK_CHARACTERS_MAX),
    notRetryable: thrown.notRetryable === true,
    ...(thrown.retryAfterMs === undefined ? {} : { retryAfterMs: thrown.retryAfterMs }),
  };
}

const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 2_000;

/** Waits before try number `tries` (from 1): doubling, with jitter, so that a crowd does not come back at once. */
export function backoff(tries, atLeastMs = 0) {
  const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (tries - 1));
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(atLeastMs, longest * (0.5 + Math.random() / 2)));
  });
}
