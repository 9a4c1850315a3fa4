//! Hashes that others have made.

/// What the hashes below are of: in Python's bcrypt, argon2-cffi, passlib and Django.
pub(super) const PASSWORD: &str = "薬局の朝は早い1";

/// By which form, and the hash.
pub(super) const VECTORS: &[(&str, &str)] = &[
    ("bcrypt 2a", "$2a$05$abcdefghijklmnopqrstuuX8Sv1swWsCEQnYI..z4jU814Hr4hkQq"),
    ("bcrypt 2b", "$2b$05$abcdefghijklmnopqrstuuX8Sv1swWsCEQnYI..z4jU814Hr4hkQq"),
    ("bcrypt 2y", "$2y$05$abcdefghijklmnopqrstuuX8Sv1swWsCEQnYI..z4jU814Hr4hkQq"),
    ("Django bcrypt_sha256", "bcrypt_sha256$$2b$05$TRw6lFFL0hDk0iv85uLvwuoyKaei/1kaJBzCa4hSW6lQSWEHnwJi2"),
    ("Django bcrypt", "bcrypt$$2b$05$FaH3cuPXYjwdo2wLYG0LeeHc0XdtNWdalfYqd6IR7FZOSbG9ypECi"),
    ("Django PBKDF2", "pbkdf2_sha256$12000$seasalt$eqKgXIChO78/QzmaQ1PVqehhZGX7PU6COrDER19StCA="),
    ("Django PBKDF2 with SHA-1", "pbkdf2_sha1$12000$seasalt$8o6FMO+hvfFnQJMAattwNkpzGo8="),
    (
        "Django Argon2",
        "argon2$argon2id$v=19$m=1024,t=1,p=2$c2Vhc2FsdHNlYXNhbHQ$HltqT4s1tAOKqNM3nzEAUiAqjvxLb6unXpDt6lOeq2s",
    ),
    (
        "Argon2d",
        "$argon2d$v=19$m=1024,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$9LPsG15K8bRrTXx19gzkLJODFRqzN9ZYNrXrTRqU/uo",
    ),
    (
        "Argon2i",
        "$argon2i$v=19$m=1024,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$cZ+7SYXcT9aA4/KAwJ7AIObf6nS/l+YV8yEjRV4wJs4",
    ),
    (
        "Argon2id",
        "$argon2id$v=19$m=1024,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$SOZMrxGT2teIOoJENZLaSxzL6lZ3ijl/Qo4cC1PSLzU",
    ),
    ("passlib PBKDF2", "$pbkdf2-sha256$2000$.//.c2FsdA$a/rJNIE3ZP3KGp94KrF6/NptpBSU7AOlemCu9gXPRAs"),
    (
        "passlib PBKDF2 with SHA-512",
        "$pbkdf2-sha512$2000$c2Vhc2FsdA$POiB6JwG1r25d95BIVMxOD2Zz.HGo8L8zmTc.BzOVskYPP3gOWMptXUxM3riK9QhQAbuu.UEILPjgPFA1PvzXg",
    ),
    ("PHC PBKDF2", "$pbkdf2-sha256$i=3000,l=32$c2Vhc2FsdA$e2c56WCeS2UvUzAcDamvuWnJnA2FvJ2Ff9zJy3SRxhg"),
];
