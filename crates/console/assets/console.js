// The console works without this. With it hits come while somebody types, keys stand in for the mouse, and receipts tell themselves.
const byId = (id) => document.getElementById(id);
const PAUSE = 120;

const box = byId('q');
const results = byId('results');
if (box && results) {
  let timer;
  let asking;
  const find = async () => {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const answer = await fetch(`${box.dataset.find}&q=${encodeURIComponent(box.value)}`, { signal, headers: { accept: 'text/html' } });
      if (answer.ok) show(await answer.text());
    } catch (failure) {
      // The next letter has come first, or the button still works.
      if (failure.name !== 'AbortError') box.form.classList.add('by-button');
    }
  };
  const show = (html) => {
    const part = new DOMParser().parseFromString(html, 'text/html');
    results.replaceChildren(...part.body.childNodes);
  };
  box.addEventListener('input', (event) => {
    clearTimeout(timer);
    // Kana that are still being converted say nothing yet.
    if (!event.isComposing) timer = setTimeout(find, PAUSE);
  });
  box.addEventListener('compositionend', () => {
    clearTimeout(timer);
    timer = setTimeout(find, PAUSE);
  });
}

const isTyping = (target) => target.matches('input, textarea, select, [contenteditable]');

document.addEventListener('keydown', (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') return move(event);
  if (isTyping(event.target)) return;
  if (event.key === '/') {
    event.preventDefault();
    if (box) box.focus();
    else document.querySelector('nav a')?.click();
    return;
  }
  const button = document.querySelector(`button[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button && !event.repeat) {
    event.preventDefault();
    button.form.requestSubmit(button);
  }
});

function move(event) {
  const hits = [...document.querySelectorAll('.hit')];
  const at = hits.indexOf(document.activeElement);
  if (hits.length === 0 || (at < 0 && document.activeElement !== box)) return;
  event.preventDefault();
  const next = at + (event.key === 'ArrowDown' ? 1 : -1);
  if (next < 0) box?.focus();
  else hits[Math.min(next, hits.length - 1)].focus();
}

// A form that is on its way is not sent twice.
for (const form of document.querySelectorAll('form[method=post]')) {
  form.addEventListener('submit', () => setTimeout(() => {
    for (const button of form.querySelectorAll('button')) button.disabled = true;
  }));
}
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

const change = byId('change');
if (change && !('over' in change.dataset)) {
  const source = new EventSource(change.dataset.stream);
  source.addEventListener('message', ({ data }) => {
    const { lines, over, summary } = JSON.parse(data);
    byId('summary').textContent = summary;
    byId('receipts').replaceChildren(...lines.map(line));
    if (over) {
      change.dataset.over = '';
      source.close();
    }
  });
}

function line({ kind, name, text, done }) {
  const item = document.createElement('li');
  item.dataset.kind = kind;
  item.classList.toggle('done', done);
  const label = document.createElement('span');
  label.textContent = name;
  const value = document.createElement('strong');
  value.textContent = text;
  item.append(label, ' ', value);
  return item;
}

byId('print')?.addEventListener('click', () => print());
