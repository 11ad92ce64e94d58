/** What the path of a request names. */
export interface Target {
  /** Checked; empty for endpoints of the whole registry. */
  readonly repository: string
  /** The tag, digest or upload behind the endpoint's name, decoded but not checked; empty where there is none. */
  readonly reference: string
}
