// What must hold between the templates and the scripts that fill them, without a browser.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const crates = new URL('../../crates/', import.meta.url).pathname;
const folder = (path) => readdirSync(join(crates, path)).filter((name) => name.includes('.')).map((name) => [`${path}/${name}`, readFileSync(join(crates, path, name), 'utf8')]);
// A sheet is a file of its own, to print: no policy goes with it.
const templates = [...folder('enroll/templates').filter(([path]) => !path.endsWith('/sheet.html')), ...folder('web/templates').filter(([path]) => /layout|problem/.test(path))];
const scripts = folder('enroll/assets');
const allTemplates = templates.map(([, text]) => text).join('\n');
const allScripts = scripts.map(([, text]) => text).join('\n');
const matches = (text, pattern) => [...text.matchAll(pattern)].map(([, name]) => name);

test('no page holds anything that the content security policy would have to allow', () => {
  for (const [path, text] of templates) {
    assert.doesNotMatch(text, /<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*src=)/i, path);
    assert.doesNotMatch(text, /(src|href)="(https?:)?\/\//, path);
  }
  for (const [path, text] of scripts) assert.doesNotMatch(text, /\beval\(|new Function|innerHTML|\.style\b|https?:\/\//, path);
});

test('every text is there in both languages', () => {
  const pairs = [...allTemplates.matchAll(/(?:language\.pick\(|guide::step\("[a-z0-9-]+", )"([^"]*)", "([^"]*)"\)/g)];
  // The step of a guide picks between what it is given.
  const picks = allTemplates.replace('language.pick(japanese, english)', '').split(/language\.pick\(|guide::step\(/);
  assert.equal(pairs.length, picks.length - 1);
  for (const [, japanese, english] of pairs) {
    assert.match(japanese, /[\u3040-\u30ff\u4e00-\u9fff\uff01-\uff5e]/, japanese);
    assert.doesNotMatch(english, /[\u3040-\u30ff\u4e00-\u9fff]/, english);
    assert.notEqual(english.trim(), '');
  }
});

test('every text, problem, place and element that a script names is in the templates', () => {
  const said = matches(allScripts, /'((?:progress|copy|proof)-[a-z-]+)'/g).filter((name) => name !== 'proof-problem');
  const proofs = ['proof-other', 'proof-silent'];
  assert.ok(said.length >= 7);
  const texts = matches(allTemplates, /data-text="([a-z-]+)"/g);
  for (const name of [...said, ...proofs]) assert.ok(texts.includes(name), `text ${name}`);
  for (const name of matches(allScripts, /Refusal\.local\('([a-z-]+)'/g)) {
    assert.ok(allTemplates.includes(`data-local-problem="${name}"`), `problem ${name}`);
  }
  for (const name of matches(allScripts, /byId\('([a-z-]+)'\)/g)) {
    assert.ok(new RegExp(`id="${name}"|id = "${name}"`).test(allTemplates), `element ${name}`);
  }
  for (const name of matches(allScripts, /\bshow\('([a-z-]+)'\)/g)) {
    assert.ok(allTemplates.includes(`data-state="${name}"`), `state ${name}`);
  }
});

test('every import of a script is a file beside it', () => {
  const names = scripts.map(([path]) => path.split('/').pop());
  for (const name of matches(allScripts, /from '\.\/([^']+)'/g)) assert.ok(names.includes(name), name);
  assert.doesNotMatch(allScripts, /from '[^.]/);
});

test('problem codes of the page itself are not codes of the server', () => {
  const codes = matches(allTemplates, /data-code="([^"]+)"/g);
  assert.equal(new Set(codes).size, codes.length);
  for (const code of codes) assert.match(code, /^P-\d\d$/);
});
