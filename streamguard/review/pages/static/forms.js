// Pages of forms: each is posted to the API as it stands, and the page is loaded anew when it did.

import { isTyped, post, ready, say, signOut, tell } from './api.js';

// What a form says: numbers and lists as such, fields that are empty and may be, not at all.
function said(form) {
  const values = {};
  for (const field of form.querySelectorAll('[name]')) {
    if (field.type === 'checkbox') values[field.name] = field.checked;
    else if ('number' in field.dataset) values[field.name] = Number(field.value);
    else if ('list' in field.dataset) values[field.name] = field.value.split(/[\s,]+/).filter(Boolean);
    else if (field.value || field.required) values[field.name] = field.value;
  }
  return values;
}

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (!form.dataset.post) return;
  event.preventDefault();
  tell(null);
  const repeated = form.querySelector('[data-repeats]');
  if (repeated && repeated.value !== form.elements[repeated.dataset.repeats].value) {
    tell(new Error('The two are not the same.'));
    return;
  }
  try {
    await post(form.dataset.post, said(form));
    if (form.dataset.then === 'sign-in') location.assign('/sign-in');
    else {
      sessionStorage.setItem('said', form.dataset.done);
      location.reload();
    }
  } catch (error) {
    tell(error);
  }
});

document.getElementById('seen')?.addEventListener('change', (event) => {
  for (const one of event.target.form.querySelectorAll('[autocomplete$=password]')) {
    one.type = event.target.checked ? 'text' : 'password';
  }
});
say(sessionStorage.getItem('said') ?? '');
sessionStorage.removeItem('said');
document.addEventListener('keydown', (event) => {
  if (event.key === 'q' && !isTyped(event)) signOut().catch(tell);
});
ready();
