// Signs somebody in.

import { post, ready, tell } from './api.js';

document.getElementById('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  tell(null);
  const form = new FormData(event.target);
  try {
    await post('/api/v1/sign-in', { name: form.get('name'), password: form.get('password') });
    location.assign('/');
  } catch (error) {
    tell(error);
  }
});
ready();
