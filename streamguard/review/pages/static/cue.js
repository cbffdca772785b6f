// A short tone for who asked for it: off unless somebody turns it on, in this browser alone.

const box = document.getElementById('cue');
const TONE_S = 0.4;

box.checked = localStorage.getItem('cue') === 'on';
box.addEventListener('change', () => {
  localStorage.setItem('cue', box.checked ? 'on' : 'off');
  sound(); // so that one knows it, and the browser has seen that it was asked for
});

export function sound() {
  if (!box.checked) return;
  const context = new AudioContext();
  const tone = context.createOscillator();
  const loudness = context.createGain();
  loudness.gain.value = 0.2;
  tone.connect(loudness).connect(context.destination);
  tone.onended = () => context.close();
  tone.start();
  tone.stop(context.currentTime + TONE_S);
}
