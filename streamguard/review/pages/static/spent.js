// Says when somebody has seen as much as they should. Nothing is shown behind it; it locks softly:
// whoever wants to go on says so.

import { areKeysOn, post, signOut, tell } from './api.js';

const dialog = document.getElementById('spent');

// Ask; `enough` is done for who stops. Gives whether they go on.
export function askToStop(enough) {
  return new Promise((answered) => {
    let goesOn = false;
    const close = (event) => {
      const isKey = event.type === 'keydown';
      if (isKey && !(areKeysOn() && ['q', '9'].includes(event.key))) return;
      event.stopPropagation();
      goesOn = event.key === '9' || event.currentTarget.id === 'spent-more';
      dialog.close();
      if (!goesOn) Promise.resolve(enough()).catch(tell);
    };
    const buttons = dialog.querySelectorAll('button');
    buttons.forEach((one) => one.addEventListener('click', close));
    dialog.addEventListener('keydown', close);
    dialog.addEventListener('close', () => {
      buttons.forEach((one) => one.removeEventListener('click', close));
      dialog.removeEventListener('keydown', close);
      answered(goesOn);
    }, { once: true });
    dialog.showModal();
  });
}

// Ask for the next case or appeal; null where somebody would rather stop.
export async function claim(path, said = {}) {
  try {
    return await post(path, said);
  } catch (error) {
    if (error.status !== 423) throw error; // 423: they have seen as much as they should
    return await askToStop(signOut) ? post(path, { ...said, go_on: true }) : null;
  }
}
