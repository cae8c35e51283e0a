package dev.lictor.test;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.loadbalancer.LoadBalancerClient;
import org.springframework.core.env.Environment;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

/** A service as its users write one: all that concerns Consul is done by Spring Cloud; here is only shown what it sees. */
@SpringBootApplication
@RestController
public class Orders {
  private final DiscoveryClient discovery;
  private final LoadBalancerClient balancer;
  private final Environment environment;

  Orders(DiscoveryClient discovery, LoadBalancerClient balancer, Environment environment) {
    this.discovery = discovery;
    this.balancer = balancer;
    this.environment = environment;
  }

  /** The names of all services. */
  @GetMapping("/services")
  List<String> services() {
    return discovery.getServices();
  }

  /** The instances of one. */
  @GetMapping("/instances/{name}")
  List<Map<String, Object>> instances(@PathVariable String name) {
    return discovery.getInstances(name).stream().map(Orders::shown).toList();
  }

  /** The instance that the load balancer would take. */
  @GetMapping("/choose/{name}")
  Optional<Map<String, Object>> choose(@PathVariable String name) {
    return Optional.ofNullable(balancer.choose(name)).map(Orders::shown);
  }

  /** A property, as the configuration in the key-value store has it now. */
  @GetMapping("/property/{key}")
  String property(@PathVariable String key) {
    return environment.getProperty(key, "");
  }

  private static Map<String, Object> shown(ServiceInstance instance) {
    return Map.of(
        "id", instance.getInstanceId(),
        "host", instance.getHost(),
        "port", instance.getPort(),
        "metadata", instance.getMetadata());
  }

  public static void main(String[] args) {
    SpringApplication.run(Orders.class, args);
  }
}
