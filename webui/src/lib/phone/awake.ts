/** Presses after which every browser lets a page sound. */
const PRESSES = ['click', 'keydown'] as const;

/** Wakes what a browser may keep silent until somebody presses something in the page, as after it was loaded again: now, and at every press until it is awake. Gives what ends that. */
export function awaken(isAwake: () => boolean, wake: () => void, page: EventTarget = document): () => void {
  const pressed = (): void => {
    if (isAwake()) end();
    else wake();
  };
  const end = (): void => {
    for (const press of PRESSES) page.removeEventListener(press, pressed, { capture: true });
  };
  for (const press of PRESSES) page.addEventListener(press, pressed, { capture: true });
  wake();
  return end;
}
