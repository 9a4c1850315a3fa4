// What staff may type, and what the page makes of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '../../crates/enroll/assets/typed.js';

test('a code is understood however it is typed', () => {
  for (const typed of ['7k3q9fm0', '7K3Q-9FMO', ' 7k3q 9fm0 ', '７Ｋ３Ｑ－９ＦＭ０', '7K3Qー9FM0', '7k3q‐9fmo']) {
    assert.equal(codeOf(typed), '7k3q9fm0', typed);
  }
  assert.equal(codeOf('LI000000'), '11000000');
  assert.equal(codeOf(`${'a'.repeat(31)}z`), `${'a'.repeat(31)}z`);
});

test('what cannot be a code never reaches the server', () => {
  for (const typed of ['', '7k3q9fm', '7k3q9fm00', '7k3q9fmu', 'あいうえおかきく', 'a'.repeat(33), `${'o'.repeat(32)}`]) {
    assert.equal(codeOf(typed), undefined, typed);
  }
});
