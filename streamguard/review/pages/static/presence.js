// Tells the console that somebody is there, as long as somebody is: who only watches is asked
// before they are signed out, for while nobody is there others are called.

import { get, tell } from './api.js';
import { sound } from './cue.js';

const TELL_MS = 60_000; // so often at most
const WARN_BEFORE_MS = 300_000;

export function watch(idleS) {
  let heard = Date.now();
  let isWarned = false;
  const here = () => {
    if (Date.now() - heard < TELL_MS && !isWarned) return;
    heard = Date.now();
    if (isWarned) tell(null);
    isWarned = false;
    get('/api/v1/me').catch(tell);
  };
  for (const what of ['keydown', 'pointerdown', 'pointermove']) document.addEventListener(what, here);
  setInterval(() => {
    if (isWarned || Date.now() - heard < idleS * 1000 - WARN_BEFORE_MS) return;
    isWarned = true;
    tell(new Error('Are you there? Press any key, or you are signed out in five minutes.'));
    sound();
  }, 1000);
}
