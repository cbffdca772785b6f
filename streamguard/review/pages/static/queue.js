// The queue: what waits comes by itself, and one key takes the most urgent.

import { follow, isTyped, ready, say, show, signOut, tell } from './api.js';
import { sound } from './cue.js';
import { watch } from './presence.js';
import { claim } from './spent.js';

const rows = document.getElementById('rows');
const yours = document.getElementById('yours');
let waiting = Number(document.getElementById('n-cases').textContent); // as the page came

async function take(said) {
  tell(null);
  try {
    const claimed = await claim('/api/v1/claim', said);
    if (claimed?.case) location.assign(`/cases/${claimed.case.case_id}`);
    else if (claimed) say('Nothing waits that you may judge.');
  } catch (error) {
    tell(error);
  }
}

const actions = { n: () => take({}), q: () => signOut().catch(tell) };
document.getElementById('next')?.addEventListener('click', actions.n);
document.getElementById('enough')?.addEventListener('click', actions.q);
document.addEventListener('keydown', (event) => {
  if (isTyped(event) || event.repeat || !document.getElementById('next')) return;
  actions[event.key]?.();
});
rows.addEventListener('click', (event) => {
  const button = event.target.closest('[data-take]');
  if (button) take({ case_id: button.dataset.take });
});

follow('/events', {
  queue: ({ html, n_cases: count, severity, present, is_yours: isYours }) => {
    show(rows, html);
    document.getElementById('n-cases').textContent = count;
    if (severity === 'P0' && count > waiting) {
      say(`A new case; ${count} wait.`);
      sound();
    }
    if (isYours && yours.hidden) sound();
    yours.hidden = !isYours;
    waiting = count;
    document.getElementById('present').textContent = present;
  },
});

watch(Number(document.getElementById('idle').dataset.s));
ready();
