/** Something that an issuer sent can not be used: metadata, keys or UserInfo. Never the caller's fault. */
export class IssuerFaultError extends Error {
  override readonly name = 'IssuerFaultError'

  /** @param subject the issuer, or the document that is at fault */
  constructor(subject: string, fault: string, options?: ErrorOptions) {
    super(`${subject}: ${fault}`, options)
  }
}
