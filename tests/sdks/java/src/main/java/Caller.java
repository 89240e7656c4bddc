import java.time.Duration;
import java.time.Instant;
import software.amazon.awssdk.services.sts.StsClient;

/** One process, one client: who am I, twice a second, for as many seconds as the first argument says, once at least. */
public final class Caller {
    private Caller() {}

    public static void main(String[] arguments) throws InterruptedException {
        Duration time = Duration.ofSeconds(Long.parseLong(arguments[0]));
        try (StsClient client = StsClient.create()) {
            Instant end = Instant.now().plus(time);
            do {
                System.out.println(ask(client));
                Thread.sleep(500);
            } while (Instant.now().isBefore(end));
        }
    }

    private static String ask(StsClient client) {
        try {
            return client.getCallerIdentity().arn();
        } catch (RuntimeException error) {
            return ("error: " + error).replaceAll("\\s+", " ");
        }
    }
}
