/** Milliseconds that a request may wait for all that issuers have to be asked: who they are, their keys, their lists. */
export const longestWait = 9000

/**
 * What was waited for, or that it took too long: after `patience` milliseconds, by default the longest wait of a request.
 * Leaves no timer behind, and does not keep the process alive.
 */
export async function orLate<Result>(
  waiting: Promise<Result>,
  patience = longestWait
): Promise<Result | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), patience).unref()
  })
  return Promise.race([waiting, late]).finally(() => clearTimeout(timer))
}
