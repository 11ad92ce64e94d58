/** A promise and what settles it. Nobody has to wait for it: a rejection that is not heard of is no fault. */
export function settleable<Value>() {
  let resolve: (value: Value) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<Value>((keep, refuse) => {
    resolve = keep
    reject = refuse
  })
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
