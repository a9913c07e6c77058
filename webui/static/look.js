// Runs before the first paint so that the page never flashes in the wrong theme.
(function () {
  try {
    var look = JSON.parse(localStorage.getItem('auricle.look') || '{}');
    var root = document.documentElement;
    if (look.theme === 'light' || look.theme === 'dark') root.dataset.theme = look.theme;
    if (look.contrast === 'more') root.dataset.contrast = 'more';
  } catch (error) {
    // Storage may be closed to us; the system's own look is right then.
  }
})();
