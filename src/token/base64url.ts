/** V8 need not look at texts of single octets, which all fields of HTTP are: it knows that they have none. */
const wideCharacter = /[^\0-\xFF]/

/**
 * Decodes base64url without padding (RFC 7515 section 2) into the beginning of a buffer.
 * @returns how many octets it wrote; undefined if the text holds any other character, or does not fit
 */
export function decodeBase64url(text: string, into: Buffer): number | undefined {
  const length = into.write(text, 'base64url')
  // Node skips what it does not know, knows plain base64 as well, and looks at the low octet of wide characters
  const isWhole = length === Math.floor((text.length * 3) / 4) && text.length % 4 !== 1
  if (!isWhole || text.includes('+') || text.includes('/')) return undefined
  return wideCharacter.test(text) ? undefined : length
}
