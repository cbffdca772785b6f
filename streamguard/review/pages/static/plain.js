// Pages on which there is nothing to do but to go.

import { isTyped, signOut, tell } from './api.js';

document.getElementById('enough')?.addEventListener('click', () => signOut().catch(tell));
document.addEventListener('keydown', (event) => {
  if (!isTyped(event) && event.key === 'q') signOut().catch(tell);
});
