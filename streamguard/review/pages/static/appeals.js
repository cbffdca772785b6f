// The appeals that wait: one key takes the oldest that this person may hear.

import { isTyped, ready, say, tell } from './api.js';
import { claim } from './spent.js';

async function take() {
  tell(null);
  try {
    const claimed = await claim('/api/v1/appeals/claim');
    if (claimed?.appeal) location.assign(`/appeals/${claimed.appeal.appeal_id}`);
    else if (claimed) say('Nothing waits that you may hear.');
  } catch (error) {
    tell(error);
  }
}

document.getElementById('next').addEventListener('click', take);
document.addEventListener('keydown', (event) => {
  if (!isTyped(event) && !event.repeat && event.key === 'n') take();
});
ready();
