// The digests of this example against the vectors that every implementation is held to.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { canonical, digest } from './digest.mjs';
import { PROTO_ROOT } from './perdure.mjs';

const vectors = JSON.parse(readFileSync(`${PROTO_ROOT}/spec/fixtures/digests.json`, 'utf8')).digests;

for (const vector of vectors) {
  // JSON.parse makes doubles of all numbers; this value is an exact integer beyond them.
  const skip = vector.name === 'an integer beyond 64 bits' && 'JavaScript has no such number in JSON';
  test(vector.name, { skip }, () => {
    const value = JSON.parse(vector.json);
    assert.equal(canonical(value), vector.canonical);
    assert.equal(digest(value).toString('hex'), vector.digest);
  });
}
