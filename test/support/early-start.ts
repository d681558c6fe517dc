/**
 * Starts what takes long before its test comes, a few at a time in the order of the calls: tests that wait for time
 * limits wait together. (tap's own parallel subtests mix up their output.)
 * @returns what waits for the result; a failure comes out there and nowhere else
 */
export function createEarlyStart(places: number): <T>(work: () => Promise<T>) => () => Promise<T> {
  const lanes = Array.from({ length: places }, () => Promise.resolve())
  let next = 0
  return (work) => {
    const lane = next++ % places
    const result = (lanes[lane] ?? Promise.resolve()).then(work)
    lanes[lane] = result.then(
      () => undefined,
      () => undefined
    )
    return () => result
  }
}
