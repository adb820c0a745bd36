// Lets a download begin only if the service is there to give it.
//
// Invariant: a link with `download` saves whatever comes, so it is asked first who answers. Otherwise the page of
// a sign-in that ran out would be saved under the file's name.

// Gives a link's click handler. `look` asks the service about the file; onTrouble(cause) hears what else
// answered. No answer at all is left to the browser, which says so itself.
export function askFirst(look, onTrouble) {
  return async (event) => {
    const link = event.currentTarget;
    if (link.dataset.isAsked || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    event.preventDefault();
    const { cause, problem } = await look();
    const trouble = cause ?? problem;
    if (trouble) {
      onTrouble(trouble);
      return;
    }
    link.dataset.isAsked = 'yes';
    link.click();
    delete link.dataset.isAsked;
  };
}
