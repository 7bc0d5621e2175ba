// Canonical text and digest of a JSON value, as proto/spec/payloads.md (sections 3 and 4) defines them.
// A coordinator compares inputs by this digest when an id is started a second time.
//
// Node's crypto offers BLAKE2b with 64 bytes only, and a shorter BLAKE2b is another hash, not a prefix.

const MASK = (1n << 64n) - 1n;
const BLOCK_BYTES = 128;
const START = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const ORDER = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const MIXES = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
  [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];

const rotated = (word, bits) => (word >> bits) | ((word << (64n - bits)) & MASK);

function compress(state, block, bytesSoFar, isLast) {
  const words = Array.from({ length: 16 }, (_, i) => block.readBigUInt64LE(8 * i));
  const v = [...state, ...START];
  v[12] ^= BigInt(bytesSoFar);
  if (isLast) v[14] ^= MASK;
  for (let round = 0; round < 12; round += 1) {
    const order = ORDER[round % 10];
    MIXES.forEach(([a, b, c, d], i) => {
      v[a] = (v[a] + v[b] + words[order[2 * i]]) & MASK;
      v[d] = rotated(v[d] ^ v[a], 32n);
      v[c] = (v[c] + v[d]) & MASK;
      v[b] = rotated(v[b] ^ v[c], 24n);
      v[a] = (v[a] + v[b] + words[order[2 * i + 1]]) & MASK;
      v[d] = rotated(v[d] ^ v[a], 16n);
      v[c] = (v[c] + v[d]) & MASK;
      v[b] = rotated(v[b] ^ v[c], 63n);
    });
  }
  return state.map((word, i) => word ^ v[i] ^ v[i + 8]);
}

/** BLAKE2b (RFC 7693) of a Buffer: no key, salt or personalization. */
export function blake2b(data, digestBytes) {
  let state = [...START];
  state[0] ^= BigInt(0x01010000 | digestBytes);
  const blocks = Math.max(1, Math.ceil(data.length / BLOCK_BYTES));
  for (let i = 0; i < blocks; i += 1) {
    const block = Buffer.alloc(BLOCK_BYTES);
    data.copy(block, 0, i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
    const bytesSoFar = Math.min(data.length, (i + 1) * BLOCK_BYTES);
    state = compress(state, block, bytesSoFar, i === blocks - 1);
  }
  const output = Buffer.alloc(64);
  state.forEach((word, i) => output.writeBigUInt64LE(word, 8 * i));
  return output.subarray(0, digestBytes);
}

/** The canonical text. JSON.stringify escapes and prints numbers just so; only the order of keys is ours. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const keys = Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

/** Digest of a JSON value (what JSON.parse gives: no undefined, no Date). */
export function digest(value) {
  return blake2b(Buffer.from(canonical(value)), 16);
}
