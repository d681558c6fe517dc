/** Names and values of header lines from which on Node shows no further ones (`maxHeadersCount`, not set: 1,000 lines). */
const mostShown = 2000

/** Whether a request may have more header lines than Node shows of it: nothing can then be said to be sent once. */
export function mayLackLines(rawHeaders: readonly string[]): boolean {
  return rawHeaders.length >= mostShown
}
