/** Milliseconds that a request may wait for all that issuers have to be asked: who they are, their keys, their lists. */
export const longestWait = 9000

/** Says when a request has waited for an issuer long enough; does not keep the process alive. */
export function deadline(): Promise<'late'> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('late'), longestWait).unref()
  })
}
