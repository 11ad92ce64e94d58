/** What ends an exchange below HTTP, beside what sockets and TLS say themselves. */
export type WireFaultCode =
  | 'CONNECT_TIMEOUT'
  | 'ANSWER_TIMEOUT'
  | 'BODY_TIMEOUT'
  | 'UPLOAD_TIMEOUT'
  | 'CONNECTION_CLOSED'
  | 'ENDED_EARLY'

/** Put into words by `networkError`. */
export class WireFault extends Error {
  readonly code: WireFaultCode

  constructor(code: WireFaultCode) {
    super(code)
    this.code = code
  }
}
