// Shows a note while the server is down or the disk is full.
(function () {
  const GONE = 'The server has stopped: start it again with “python demo/web.py”. '
    + 'Results are kept, and trainings can be resumed. This page will reconnect.';
  const FULL = 'The disk is full: free some space, as nothing can be written.';
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
