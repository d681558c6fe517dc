/**
 * A certificate for `issuer.example` and `keys.example` that signs itself, valid until 2120, and its key. Nobody trusts
 * it but the tests that name it as their authority.
 */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBfjCCASSgAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5pc3N1ZXIu
ZXhhbXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowGTEXMBUG
A1UEAwwOaXNzdWVyLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQW
aR89TZhV7sjC4sX1kYvNplhkyaOnCXCvhMtwHHnvzNTKdddlrG0wnFVgKXGEX4ll
31D11DrGOAUYqOsVS20/o1swWTAPBgNVHRMBAf8EBTADAQH/MCcGA1UdEQQgMB6C
Dmlzc3Vlci5leGFtcGxlggxrZXlzLmV4YW1wbGUwHQYDVR0OBBYEFMXw4dnCBHRQ
VOvxU2JMdAVAHi7PMAoGCCqGSM49BAMCA0gAMEUCIQDXzTzarmV/waIw3jVpiDc6
fzRCM7/rVuhZhTgLrLWl7gIgfF78Q8bUAQe9iUsuGMfiEbwvgWsy9EKjw/mz0vv9
kTA=
-----END CERTIFICATE-----
`

/** The private key of {@link certificate}. */
export const certificateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmy4xkekf1WAlcE8k
VJRdVnUORHmVnPaqB5a8TEdZW56hRANCAAQWaR89TZhV7sjC4sX1kYvNplhkyaOn
CXCvhMtwHHnvzNTKdddlrG0wnFVgKXGEX4ll31D11DrGOAUYqOsVS20/
-----END PRIVATE KEY-----
`
