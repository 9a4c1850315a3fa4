// A product in Java that lets enrolled devices in and nobody else: Spring Boot 3.5, Spring Security 6.5
// (spring-boot-starter-web, spring-boot-starter-oauth2-resource-server). Its application.yaml is in README.md.
package jp.example.rezept;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.Objects;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.web.client.RestTemplateBuilder;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2Error;
import org.springframework.security.oauth2.core.OAuth2TokenValidatorResult;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.util.LinkedMultiValueMap;
import org.springframework.web.client.RestTemplate;
import org.springframework.web.context.request.RequestAttributes;
import org.springframework.web.context.request.RequestContextHolder;

@Configuration
class Devices {
    private static final String ISSUER = "https://ca.example.jp";
    private static final String AUDIENCE = "https://rezept.example.jp";
    /** `tegata invite --gate rezept`; `tegata enroll … --out /etc/rezept/gate` prints it. */
    private static final String SELF = "ID-OF-THE-GATE";

    private final RestTemplate platform;
    private final Metadata metadata;

    record Metadata(
        String issuer,
        @JsonProperty("jwks_uri") String keys,
        @JsonProperty("mtls_endpoint_aliases") Map<String, String> aliases) {}

    record Introspected(boolean active) {}

    Devices(RestTemplateBuilder builder, SslBundles bundles) {
        platform = builder.sslBundle(bundles.getBundle("tegata"))
            .connectTimeout(Duration.ofSeconds(1)).readTimeout(Duration.ofSeconds(3)).build();
        metadata = platform.getForObject(ISSUER + "/.well-known/oauth-authorization-server", Metadata.class);
        if (metadata == null || !ISSUER.equals(metadata.issuer())) {
            throw new IllegalStateException("another issuer: " + metadata);
        }
    }

    @Bean
    SecurityFilterChain onlyDevices(HttpSecurity http) throws Exception {
        return http
            .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
            .oauth2ResourceServer(server -> server.jwt(Customizer.withDefaults()))
            .sessionManagement(session -> session.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
            .build();
    }

    /** Signature and RFC 9068 first, then the binding, then the platform's word. */
    @Bean
    JwtDecoder tokens() {
        var decoder = NimbusJwtDecoder.withJwkSetUri(metadata.keys())
            .jwsAlgorithm(SignatureAlgorithm.ES256).validateType(false).restOperations(platform).build();
        var claims = JwtValidators.createAtJwtValidator().issuer(ISSUER).audience(AUDIENCE)
            .validators(all -> all.put("client_id", new JwtClaimValidator<>("client_id", Objects::nonNull)))
            .build();
        decoder.setJwtValidator(token -> {
            var result = new DelegatingOAuth2TokenValidator<Jwt>(claims, this::bound).validate(token);
            return result.hasErrors() ? result : live(token);
        });
        return decoder;
    }

    /** Spring's own validator lets a token without `cnf` pass; here it is refused. */
    private OAuth2TokenValidatorResult bound(Jwt token) {
        var confirmation = token.getClaimAsMap("cnf");
        var bound = confirmation == null ? null : confirmation.get("x5t#S256");
        return answer(bound != null && bound.equals(presented()));
    }

    /** SHA-256 of the certificate that the connection proved to hold, or null. */
    private static String presented() {
        var chain = (X509Certificate[]) RequestContextHolder.currentRequestAttributes()
            .getAttribute("jakarta.servlet.request.X509Certificate", RequestAttributes.SCOPE_REQUEST);
        if (chain == null || chain.length == 0) {
            return null;
        }
        try {
            var hash = MessageDigest.getInstance("SHA-256").digest(chain[0].getEncoded());
            return Base64.getUrlEncoder().withoutPadding().encodeToString(hash);
        } catch (java.security.GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    /**
     * What only the platform knows: whether the device, its certificate or the token was stopped (RFC 7662). When it is
     * out of reach, the exception ends the request with 500: nobody passes.
     */
    private OAuth2TokenValidatorResult live(Jwt token) {
        var form = new LinkedMultiValueMap<String, String>();
        form.add("token", token.getTokenValue());
        form.add("client_id", SELF);
        var said = platform.postForObject(metadata.aliases().get("introspection_endpoint"), form, Introspected.class);
        return answer(said != null && said.active());
    }

    private static OAuth2TokenValidatorResult answer(boolean good) {
        return good ? OAuth2TokenValidatorResult.success()
            : OAuth2TokenValidatorResult.failure(new OAuth2Error("invalid_token"));
    }
}
