// The page of an appeal: look again, then uphold or overturn for a reason.

import { isTyped, post, ready, say, signOut, tell } from './api.js';
import { Choosing } from './decide.js';
import { LeaseKeeper } from './lease.js';
import { Reveal } from './reveal.js';
import { askToStop } from './spent.js';

const root = document.getElementById('case');
const { case: caseId, appeal } = root.dataset;
const token = Number(root.dataset.token);
const path = `/api/v1/appeals/${appeal}`;
const explanation = document.getElementById('explanation');
let isMine = true;

function letGo() {
  isMine = false;
  reveal.stop();
  keeper.stop();
  document.getElementById('decide').hidden = true;
  document.getElementById('after').hidden = false;
  document.getElementById('next').focus();
}

async function answer({ outcome, reason_code: reason }) {
  tell(null);
  await reveal.close();
  try {
    const said = { token, result: outcome, reason_code: reason };
    const text = explanation.value.trim();
    await post(`${path}/resolution`, text ? { ...said, explanation_public: text } : said);
    letGo();
    say(`Answered: ${outcome}, ${reason}.`);
    return true;
  } catch (error) {
    tell(error);
    if (error.status === 409) keeper.end(error.message);
    return false;
  }
}

async function pass() {
  await reveal.close();
  try {
    await post(`${path}/skip`, { token, reason: 'not_sure' });
    letGo();
    say('Passed on: it goes to somebody else.');
  } catch (error) {
    tell(error);
    if (error.status === 409) keeper.end(error.message);
  }
}

const stage = document.getElementById('stage');
const reveal = new Reveal(caseId, token, stage, document.getElementById('where'), appeal);
const keeper = new LeaseKeeper(path, token, Number(root.dataset.leaseS), letGo);
const choosing = new Choosing(document.getElementById('decide'), answer, []);
const looks = {
  ' ': () => reveal.more(),
  Escape: () => reveal.hide(),
  j: () => reveal.step(1),
  k: () => reveal.step(-1),
  '.': () => reveal.sound(),
  8: () => explanation.focus(),
  9: pass,
};

function act(key) {
  if (!isMine) {
    if (key === 'n') location.assign('/appeals');
    return;
  }
  const control = [...root.querySelectorAll(`#decide [data-key="${CSS.escape(key)}"]`)]
    .find((one) => !one.closest('[hidden]') && !(key in looks));
  if (control) choosing.choose(control);
  else Promise.resolve(looks[key]?.()).catch(tell);
}

explanation.addEventListener('keydown', (event) => {
  if (event.key === 'Enter') document.getElementById('main').focus(); // keys decide again
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') reveal.hide();
  else if (!isTyped(event) && event.target !== explanation && !event.repeat && !(event.target.closest('button, a') && [' ', 'Enter'].includes(event.key))) {
    if (event.key in looks) event.preventDefault();
    act(event.key);
  }
});
window.addEventListener('blur', () => reveal.hide());
document.addEventListener('click', (event) => {
  const control = event.target.closest('[data-key]');
  if (control) act(control.dataset.key);
});
reveal.onSpent = () => askToStop(signOut);
reveal.load().catch(tell);
document.getElementById('main').focus();
ready();
