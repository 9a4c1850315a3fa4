import java.io.FileInputStream;
import java.io.InputStream;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.PKIXRevocationChecker.Option;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What Java's PKIX validation says of certificates, a line for each: {@code good}, {@code revoked REASON}, or
 * {@code bad WHY}. The first certificate of each file counts.
 *
 * {@code java Pkix.java ROOT ISSUING ocsp CERTIFICATE…} asks the responder that each certificate names;
 * {@code java Pkix.java ROOT ISSUING crl CERTIFICATE…} fetches the list that each names;
 * {@code java Pkix.java ROOT ISSUING list FILE CERTIFICATE…} goes by the list in a file and by nothing else.
 */
class Pkix {
    private static CertificateFactory factory;

    public static void main(String[] arguments) throws Exception {
        factory = CertificateFactory.getInstance("X.509");
        X509Certificate root = read(arguments[0]);
        X509Certificate issuing = read(arguments[1]);
        boolean byFile = arguments[2].equals("list");
        for (String file : List.of(arguments).subList(byFile ? 4 : 3, arguments.length)) {
            CertPathValidator validator = CertPathValidator.getInstance("PKIX");
            System.out.println(byFile
                    ? verdict(validator, path(read(file)), byList(issuing, arguments[3]))
                    : verdict(validator, path(read(file), issuing), bySource(validator, root, arguments[2])));
        }
    }

    /** One source and no other, for the device's certificate alone; no answer is no. */
    private static PKIXParameters bySource(CertPathValidator validator, X509Certificate root, String source)
            throws Exception {
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        EnumSet<Option> options = EnumSet.of(Option.ONLY_END_ENTITY, Option.NO_FALLBACK);
        if (source.equals("crl")) {
            options.add(Option.PREFER_CRLS);
        }
        checker.setOptions(options);
        parameters.addCertPathChecker(checker);
        return parameters;
    }

    /** Without a checker of its own Java fetches nothing. */
    private static PKIXParameters byList(X509Certificate issuing, String file) throws Exception {
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(issuing, null)));
        try (InputStream input = new FileInputStream(file)) {
            CollectionCertStoreParameters lists =
                    new CollectionCertStoreParameters(List.of(factory.generateCRL(input)));
            parameters.addCertStore(CertStore.getInstance("Collection", lists));
        }
        parameters.setRevocationEnabled(true);
        return parameters;
    }

    private static String verdict(CertPathValidator validator, CertPath path, PKIXParameters parameters)
            throws Exception {
        try {
            validator.validate(path, parameters);
            return "good";
        } catch (CertPathValidatorException invalid) {
            if (invalid.getCause() instanceof CertificateRevokedException revoked) {
                return "revoked " + revoked.getRevocationReason();
            }
            return "bad " + invalid.getReason() + " " + invalid.getMessage();
        }
    }

    private static CertPath path(X509Certificate... certificates) throws Exception {
        return factory.generateCertPath(List.of(certificates));
    }

    private static X509Certificate read(String file) throws Exception {
        try (InputStream input = new FileInputStream(file)) {
            return (X509Certificate) factory.generateCertificate(input);
        }
    }
}
