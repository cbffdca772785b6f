// The appeals that wait: one key takes the oldest that this person may hear.

import { isTyped, post, say, tell } from './api.js';

async function take() {
  tell(null);
  try {
    const { appeal } = await post('/api/v1/appeals/claim');
    if (appeal) location.assign(`/appeals/${appeal.appeal_id}`);
    else say('Nothing waits that you may hear.');
  } catch (error) {
    tell(error);
  }
}

document.getElementById('next').addEventListener('click', take);
document.addEventListener('keydown', (event) => {
  if (!isTyped(event) && !event.repeat && event.key === 'n') take();
});
document.body.dataset.ready = 'yes'; // keys do something from now on
