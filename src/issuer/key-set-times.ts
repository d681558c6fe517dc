/** Milliseconds between two downloads that strangers can cause by unknown key ids. */
export const cooldown = 30_000
/** Milliseconds for which known keys are served without a successful download. */
export const maxStaleness = 24 * 60 * 60 * 1000
/** Milliseconds without use after which a set is left alone, unless its issuer is to be asked anyway. */
export const idleTime = 6 * 60 * 60 * 1000

const refreshInterval = { usual: 300_000, least: 30_000, most: 3_600_000 }
const retryInterval = { first: 1000, withoutKeys: 5000, withKeys: 30_000 }

/**
 * Milliseconds after which a set is downloaded again.
 * @param maxAge seconds for which the issuer calls it fresh, heeded within bounds; undefined if it does not say
 */
export function freshness(maxAge: number | undefined): number {
  const { usual, least, most } = refreshInterval
  return maxAge === undefined ? usual : Math.min(Math.max(maxAge * 1000, least), most)
}

/**
 * Milliseconds until a failing issuer is asked again: doubled from the first failure on, up to a cap.
 * @param failures in a row, at least 1
 */
export function backOff(failures: number, hasKeys: boolean): number {
  const most = hasKeys ? retryInterval.withKeys : retryInterval.withoutKeys
  return Math.min(retryInterval.first * 2 ** (failures - 1), most)
}
