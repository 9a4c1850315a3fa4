//! An authenticator app: codes of TOTP (RFC 6238) by Python's own library.

use crate::command::run;

const APP: &str = "import base64, hashlib, hmac, struct, sys, time
secret = base64.b32decode(sys.argv[1].replace(' ', ''))
step = int(time.time()) // 30 + int(sys.argv[2])
tag = hmac.new(secret, struct.pack('>q', step), hashlib.sha1).digest()
at = tag[-1] & 15
print('%06d' % ((struct.unpack('>I', tag[at:at + 4])[0] & 0x7fffffff) % 1000000))";

/// What the app shows so many steps of 30 seconds from now, for a secret as people type it.
#[must_use]
pub fn code(secret: &str, steps: i32) -> String {
    run("python3", &["-c", APP, secret, &steps.to_string()]).trim().to_owned()
}
