// Asks the console's API, and tells what came of it. Nothing here touches evidence.

export const ANSWER_MS = 20000; // a third of a lease: whoever is not answered can try again under it

let csrf = null;

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function told(response) {
  if (response.ok) return response;
  let text = `the console answers ${response.status}`;
  try {
    text = (await response.json()).problem;
  } catch { /* no JSON: what stands above has to do */ }
  if (response.status === 401 && location.pathname !== '/sign-in') location.assign('/sign-in');
  throw new Refused(response.status, text);
}

export async function get(path, more = {}) {
  return told(await fetch(path, { cache: 'no-store', ...more }));
}

export async function post(path, said = {}) {
  const signal = AbortSignal.timeout(ANSWER_MS); // of all that has to be asked
  if (csrf === null && path !== '/api/v1/sign-in') {
    csrf = (await (await get('/api/v1/me', { signal })).json()).csrf;
  }
  const headers = { 'content-type': 'application/json', 'x-csrf-token': csrf ?? '' };
  const body = JSON.stringify(said);
  return (await told(await fetch(path, { method: 'POST', headers, body, signal }))).json();
}

export function say(text) {
  document.getElementById('status').textContent = text;
}

export function tell(error) {
  document.getElementById('problem').textContent = error ? error.message : '';
}

// The page's script is there: keys act, and forms can be sent, from now on. Before that a browser
// itself would send a form, and show what was typed in the address, a password too.
export function ready() {
  for (const one of document.querySelectorAll('form[method=post] [type=submit]')) one.disabled = false;
  document.body.dataset.ready = 'yes';
}

export async function signOut() {
  await post('/api/v1/sign-out');
  location.assign('/sign-in');
}

// Whoever speaks to a computer, or hits keys by accident, turns single keys off (WCAG 2.2, 2.1.4).
export function areKeysOn() {
  return localStorage.getItem('keys') !== 'off';
}

export function setKeys(areOn) {
  localStorage.setItem('keys', areOn ? 'on' : 'off');
}

// Keys act on the page unless somebody types, is asked something, or means the browser.
export function isTyped(event) {
  if (!areKeysOn() && event.key.length === 1 && event.key !== ' ') return true;
  if (document.querySelector('dialog[open]')) return true;
  return event.ctrlKey || event.metaKey || event.altKey || event.isComposing
    || event.target.closest('input, select, textarea') !== null;
}

// The key that was meant: with Caps Lock, too, a letter alone is the small one.
export function keyOf({ key, shiftKey }) {
  if (!/^[a-z]$/i.test(key)) return key;
  return shiftKey ? key.toUpperCase() : key.toLowerCase();
}

// Tell times of day as clocks here do; the console writes them in UTC.
export function tellHere(root) {
  for (const one of root.querySelectorAll('time.local')) {
    const at = new Date(one.dateTime);
    const isToday = at.toDateString() === new Date().toDateString();
    const day = isToday ? {} : { weekday: 'short', day: 'numeric', month: 'short' };
    one.textContent = at.toLocaleString([], { ...day, hour: '2-digit', minute: '2-digit' });
    one.title = one.dateTime;
  }
}

// Put what the console rendered in the place of what was there; what has the focus keeps it.
export function show(element, html) {
  const focused = document.activeElement?.id;
  const made = document.createElement('template');
  made.innerHTML = html;
  tellHere(made.content);
  element.replaceChildren(made.content);
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
}

export function follow(path, handlers) {
  const source = new EventSource(path);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => {
      const said = JSON.parse(event.data);
      show(document.getElementById('incidents'), said.incidents);
      handle(said);
    });
  }
  source.addEventListener('over', () => location.assign('/sign-in'));
  source.addEventListener('error', () => {
    if (source.readyState !== EventSource.CLOSED) return; // the browser asks again by itself
    tell(new Error('Nothing new is shown: the console is not heard.'));
    setTimeout(() => location.reload(), 2000);
  });
  return source;
}

tellHere(document);
document.getElementById('sign-out')?.addEventListener('click', () => signOut().catch(tell));
