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

test('a link works with what Japanese text puts around it', () => {
  const code = '7k3q9fm0'.repeat(4);
  const wide = [...code.toUpperCase()].map((letter) => String.fromCodePoint(letter.codePointAt(0) + 0xfee0)).join('');
  for (const behind of ['。', '、', '」', ')', '）', '.', '>', ' ', '　', '\n', '。これを開いてください', ' を開く', '%E3%80%82', '%20']) {
    assert.equal(codeOf(code + behind), code, behind);
    assert.equal(codeOf(`7K3Q-9FM0${behind.replace(/これ.*|を.*/, '')}`), '7k3q9fm0', behind);
  }
  for (const typed of [wide, `「${code}」`, `https://portal.example/enroll#${code}。`, `${code.slice(0, 20)}\n${code.slice(20)}`]) {
    assert.equal(codeOf(typed), code, typed);
  }
  assert.equal(codeOf(`${code}x`), undefined);
  assert.equal(codeOf('100%'), undefined);
});

test('what cannot be a code never reaches the server', () => {
  for (const typed of ['', '7k3q9fm', '7k3q9fm00', '7k3q9fmu', 'あいうえおかきく', 'a'.repeat(33), `${'o'.repeat(32)}`]) {
    assert.equal(codeOf(typed), undefined, typed);
  }
});
