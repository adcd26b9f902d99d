package groundswell;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Believes records of a topic that one of some public keys has signed; without keys, all. */
final class Signatures {
    private final String topic;
    private final List<PublicKey> trusted = new ArrayList<>();

    /**
     * Reads public keys (PEM); what is signed names the topic, {@code policies} or {@code controls}.
     *
     * @throws IllegalArgumentException one is no key of Ed25519
     */
    Signatures(String topic, List<String> trusted) {
        this.topic = topic;
        for (String pem : trusted) {
            String base64 = pem.replaceAll("-----(BEGIN|END) PUBLIC KEY-----|\\s", "");
            try {
                var read = new X509EncodedKeySpec(Base64.getDecoder().decode(base64));
                this.trusted.add(KeyFactory.getInstance("Ed25519").generatePublic(read));
            } catch (GeneralSecurityException error) {
                throw new IllegalArgumentException("a public key that is none of Ed25519", error);
            }
        }
    }

    void demand(byte[] key, byte[] value, List<byte[]> signatures) throws PolicyException {
        String said = "groundswell-record-1\n" + topic + "\n0\n" + key.length + "\n";
        for (PublicKey one : trusted) {
            for (byte[] signature : signatures) {
                try {
                    var verifier = Signature.getInstance("Ed25519");
                    verifier.initVerify(one);
                    verifier.update(said.getBytes(StandardCharsets.UTF_8));
                    verifier.update(key);
                    verifier.update(value);
                    if (verifier.verify(signature)) {
                        return;
                    }
                } catch (GeneralSecurityException wrong) {
                    continue; // of another length, for one
                }
            }
        }
        Document.demand(trusted.isEmpty(), "it is signed by none of the keys that are trusted");
    }
}
