/** Where the service and its development issuer listen. */
export interface Addresses {
  readonly publicUrl: string
  readonly issuer: string
  /** Whether `latchkey token` finds the issuer by itself, run in the same directory. */
  readonly findsIssuer: boolean
}

/** What a newcomer is shown: the addresses, how to get a token, and calls that work when pasted. */
export function welcome({ publicUrl, issuer, findsIssuer }: Addresses): string {
  const option = findsIssuer ? '' : ` --issuer ${issuer}`
  return `
Latchkey            ${publicUrl}
Documentation       ${publicUrl}/docs
Development issuer  ${issuer} (signs anybody in as ada or grace; not for production)

Paste into another terminal, in this directory:

  TOKEN=$(npx latchkey token${option})
  curl -H "Authorization: Bearer $TOKEN" ${publicUrl}/whoami
  curl -H "Authorization: Bearer $TOKEN" ${publicUrl}/me
  curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    -d '{"data":{"title":"Buy milk"}}' ${publicUrl}/documents
  curl -H "Authorization: Bearer $TOKEN" ${publicUrl}/documents
  curl -i ${publicUrl}/whoami

`
}
