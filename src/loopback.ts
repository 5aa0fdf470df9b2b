/** Which host names mean this machine and no other: `localhost`, all of 127.0.0.0/8 and ::1, as `URL.hostname` spells them. */
export const isLoopbackHost = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || hostname === '::1' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
