// Says in the page when the program has ended, and when it is back; and when
// the disk is full.
(function () {
  const GONE = 'The program has ended: start it again with “python demo/web.py”. '
    + 'What was made is kept, and a training can go on. This page comes back by itself.';
  const FULL = 'The disk is full: make room before you go on, for nothing can be written.';
  let isGone = false;
  function say(text) {
    let note = document.getElementById('mmpe-note');
    if (!note) {
      note = document.createElement('div');
      note.id = 'mmpe-note';
      document.body.prepend(note);
    }
    note.textContent = text;
    note.hidden = !text;
  }
  async function look() {
    let answer = null;
    try { answer = await (await fetch('/alive', {cache: 'no-store'})).json(); } catch { }
    if (answer && isGone) { location.reload(); return; }
    isGone = !answer;
    say(isGone ? GONE : answer.is_full ? FULL : '');
    setTimeout(look, 2000);
  }
  setTimeout(look, 2000);
})();
