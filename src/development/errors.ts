/** Why the development issuer does not start or gave no token; the message is one line that says what to do. */
export class DevelopmentIssuerError extends Error {
  override name = 'DevelopmentIssuerError'
}
