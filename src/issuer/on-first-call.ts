/** A function that is made when it is first called: what is behind it may take memory before it does anything. */
export function onFirstCall<Parameters extends readonly unknown[], Result>(
  make: () => (...parameters: Parameters) => Result
): (...parameters: Parameters) => Result {
  let made: ((...parameters: Parameters) => Result) | undefined
  return (...parameters) => (made ??= make())(...parameters)
}
