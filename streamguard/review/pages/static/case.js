// The page of a case: keys, and what they do.

import { areKeysOn, follow, isTyped, keyOf, post, ready, say, setKeys, show, signOut, tell } from './api.js';
import { Began } from './began.js';
import { Choosing, Holding, Twice } from './decide.js';
import { Details } from './details.js';
import { Handing } from './handing.js';
import { LeaseKeeper } from './lease.js';
import { inWords, latest } from './lost.js';
import { Marks } from './marks.js';
import { Referral } from './referral.js';
import { Reveal } from './reveal.js';
import { askToStop, claim } from './spent.js';
import { Undoing } from './undoing.js';
import { Words } from './words.js';

const root = document.getElementById('case');
const { case: caseId } = root.dataset;
const token = root.dataset.token === '' ? null : Number(root.dataset.token);
const path = `/api/v1/cases/${caseId}`;
const matched = JSON.parse(root.dataset.matched);
const help = document.getElementById('help');
const after = document.getElementById('after');
const banks = document.getElementById('bank-it');
const undoing = new Undoing(document.getElementById('undo'), path);
const began = new Began(Number(root.dataset.nowS));
const referral = document.getElementById('referral') && new Referral(path, token);
let isMine = token !== null;
let cameOf = '';
let reveal; let choosing; let keeper; let marks; let words; let handing; let details;

function letGo() {
  isMine = false;
  reveal?.stop();
  keeper?.stop();
  document.getElementById('decide')?.setAttribute('hidden', '');
  after.hidden = false;
  document.getElementById('next')?.focus();
}

const DISAGREES = ['ERROR.WRONG_MATCH', 'ERROR.BAD_ENTRY'];

// What the decision says of the entries that matched.
function votes({ outcome, reason_code: reason }) {
  if (outcome !== 'confirmed' && !DISAGREES.includes(reason)) return [];
  return matched.map((name) => {
    const [bank, ...entry] = name.split('/');
    return { bank, entry: entry.join('/'), agrees: outcome === 'confirmed' };
  });
}

// What was refused is said; whoever has lost the case sees no more of it. Of an answer that never
// came, nobody knows what it would have said: what is true now is asked for.
async function failed(error, asked = 0) {
  tell(error);
  const isUnheard = error.status === undefined;
  if (!isUnheard && error.status !== 409) return false;
  let made = null;
  try {
    made = await latest(path);
    if (isUnheard) tell(new Error('The console did not answer, and nothing was done: try again.'));
  } catch {
    if (isUnheard) tell(new Error('The console is not heard, and what came of it is not known: try again.'));
  }
  if (made && made.reviewer?.lease_token === token) {
    tell(null);
    letGo();
    say(`Decided: ${inWords(made)}. The answer had been lost.`);
    undoing.offer(made, asked);
    return true;
  }
  if (!isUnheard) keeper.end(error.message);
  if (!isUnheard && made) tell(new Error(`Nothing was done: the latest decision is ${inWords(made)}, at ${made.decided_at}.`));
  return false;
}

async function decide(choice) {
  tell(null);
  const asked = performance.now();
  try {
    await reveal.close();
    const exposure = reveal.seen;
    const said = { token, ...choice, ...marks.said(), ...told(), ...details.said(), exposure, votes: votes(choice), ...banking(choice) };
    const made = await post(`${path}/decision`, said);
    if (said.referral) referral.clear();
    letGo();
    say(`Decided: ${inWords(made)}.`);
    undoing.offer(made, asked);
    return true;
  } catch (error) {
    return failed(error, asked);
  }
}

// Whom somebody told, where they ticked that they did, goes with the decision as it would alone.
function told() {
  const said = referral.said();
  return said ? { ...words.said(referral.note()), referral: said } : words.said();
}

// The evidence goes into a bank only with a decision that confirms it.
function banking({ outcome }) {
  const isWanted = banks?.getAttribute('aria-pressed') === 'true' && outcome === 'confirmed';
  if (!isWanted) return {};
  return { bank: document.getElementById('bank').value };
}

async function next() {
  if (isMine) return;
  try {
    const claimed = await claim('/api/v1/claim');
    if (claimed) location.assign(claimed.case ? `/cases/${claimed.case.case_id}` : '/');
  } catch (error) {
    tell(error);
  }
}

async function skip(reason) {
  try {
    await reveal.close();
    await post(`${path}/skip`, { token, reason });
    letGo();
    say('Skipped: it goes to somebody else.');
    return true;
  } catch (error) {
    return failed(error);
  }
}

async function handOver(control) {
  try {
    await reveal.close();
    const name = await handing.to(control);
    letGo();
    say(`Handed over: it is in the hands of ${name}.`);
  } catch (error) {
    failed(error);
  }
}

async function enough() {
  if (!isMine || await skip('enough')) await signOut().catch(tell);
}

function askWhy() {
  const skips = document.getElementById('skips');
  skips.hidden = !skips.hidden;
  if (!skips.hidden) say('Say why you skip.');
}

function mark(name) {
  marks.mark(name, reveal.position());
  began.since(marks.start);
}

const onCase = {
  ' ': () => reveal.more(),
  Escape: () => reveal.hide(),
  j: () => reveal.step(1),
  k: () => reveal.step(-1),
  '.': () => reveal.sound(),
  '[': () => mark('start'),
  ']': () => mark('end'),
  b: () => banks?.setAttribute('aria-pressed', banks.getAttribute('aria-pressed') !== 'true'),
  s: askWhy,
  7: () => handing.offer(),
  8: () => words.open(),
  G: () => details.turn('ground'),
  R: () => details.write(),
  H: () => details.turn('hold-s'),
  T: () => details.turn('delay'),
  W: () => details.turn('delay-why'),
  6: () => { document.getElementById('more').open = true; },
  Backspace: () => {
    for (const id of ['skips', 'colleagues']) document.getElementById(id).hidden = true;
    choosing.clear();
    details.clear();
  },
};
const always = {
  q: enough, '?': () => help.showModal(), u: () => undoing.take(), n: next, 9: () => referral?.open(),
  r: () => document.getElementById('restore-reason')?.focus(),
};

// The control that a key stands for now: of two the one that is offered for the choice at hand.
function controlOf(key) {
  for (const place of ['#colleagues', '#skips', '#reasons', '#decide']) {
    const found = [...root.querySelectorAll(`${place} [data-key="${CSS.escape(key)}"]`)]
      .find((one) => !one.closest('[hidden]'));
    if (found) return found;
  }
  return null;
}

function act(control, key) {
  if (control?.dataset.skip) skip(control.dataset.skip);
  else if (control?.dataset.to) handOver(control);
  else if (control?.dataset.context || control?.dataset.scope || control?.id === 'preserve') details.toggle(control);
  else if (control && (control.dataset.outcome || control.dataset.action || control.dataset.reason)) {
    choosing.choose(control);
  } else Promise.resolve(((isMine && onCase[key]) || always[key])?.()).catch(tell);
}

// Whoever was writing goes back to the keys.
function leave(target) {
  if (target.matches(':is(#case, #outside) :is(input, select)')) document.getElementById('main').focus();
}

const holding = new Holding((control) => choosing.choose(control));
const again = new Twice((control) => choosing.choose(control), say);

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    reveal?.hide(); // all at once
    leave(event.target);
  }
  if (event.key === 'Enter' && event.target.matches('#case input')) leave(event.target);
  if (isTyped(event) || event.key === 'Escape') return;
  const onButton = event.target.closest('button, a, summary') !== null;
  const pressed = event.target.closest('[data-hold]');
  if (onButton && (event.key === 'Enter' || event.key === ' ')) {
    if (pressed && !event.repeat) holding.press(pressed);
    if (pressed) event.preventDefault();
    return;
  }
  const key = keyOf(event);
  const control = isMine ? controlOf(key) : null;
  if (!control && !(isMine && onCase[key]) && !always[key]) return;
  event.preventDefault();
  if (event.repeat) return;
  if (control?.hasAttribute('data-hold')) holding.press(control);
  else act(control, key);
});
document.addEventListener('keyup', () => holding.release());
window.addEventListener('blur', () => { holding.release(); reveal?.hide(); });
document.addEventListener('visibilitychange', () => { if (document.hidden) reveal?.hide(); });
document.addEventListener('pointerdown', (event) => {
  const control = event.target.closest('[data-hold]');
  if (control && isMine) holding.press(control);
});
for (const over of ['pointerup', 'pointercancel']) document.addEventListener(over, () => holding.release());
document.addEventListener('click', (event) => {
  const control = event.target.closest('[data-key]');
  if (!control || control.tagName === 'SUMMARY') return; // it opens and closes by itself
  if (!control.hasAttribute('data-hold')) act(control, control.dataset.key);
  else if (event.detail === 0 && isMine) again.press(control); // neither a pointer nor a key
});
document.getElementById('close-help').addEventListener('click', () => help.close());
const keys = document.getElementById('keys');
keys.checked = areKeysOn();
keys.addEventListener('change', () => setKeys(keys.checked));
const restoring = document.getElementById('restore');
restoring?.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.repeat || event.target.tagName !== 'SELECT') return;
  event.preventDefault();
  restoring.requestSubmit();
});
restoring?.addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    const reason = document.getElementById('restore-reason').value;
    await post(`${path}/restore`, { reason_code: reason });
    say('Decided: the stream is to be restored.');
    restoring.hidden = true;
  } catch (error) {
    tell(error);
  }
});

if (isMine) {
  const stage = document.getElementById('stage');
  reveal = new Reveal(caseId, token, stage, document.getElementById('where'));
  words = new Words();
  details = new Details(document.getElementById('decide'));
  handing = new Handing(document.getElementById('colleagues'), path, token);
  marks = new Marks(document.getElementById('marks'));
  choosing = new Choosing(document.getElementById('decide'), decide);
  keeper = new LeaseKeeper(path, token, Number(root.dataset.leaseS), letGo);
  reveal.onSpent = () => askToStop(enough);
  reveal.load().catch(tell);
  document.getElementById('main').focus();
}

// What came of a decision does not hide that it was made, where nobody has read that yet.
function sayBefore(news) {
  const { textContent: said } = document.getElementById('status');
  say(said.startsWith('Decided: ') ? `${news}. ${said}` : news);
}

// What the page asks for by itself hides nothing that somebody is told of what they did.
function tellAside(error) {
  if (isMine && !document.getElementById('problem').textContent) tell(error);
}

follow(`/events?case=${encodeURIComponent(caseId)}`, {
  case: ({ html, came_of: now }) => {
    show(document.getElementById('facts'), html);
    if (now && now !== cameOf) sayBefore(now);
    cameOf = now;
    marks?.draw();
    began.draw();
    if (isMine) reveal.load().catch(tellAside);
  },
});

ready();
