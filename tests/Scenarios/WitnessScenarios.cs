using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A gateway with two nodes that must agree.</summary>
[Trait(TestStore.Trait, TestStore.Own)]
public class WitnessScenarios
{
    [Fact]
    public async Task A_witness_that_is_away_lets_the_view_grow_old_and_keeps_no_revocation_from_the_chain()
    {
        var folder = Directory.CreateTempSubdirectory("pmr-witness-").FullName;
        await using var anvil = await AnvilNode.StartAsync(new LedgerOptions(), folder, NullLogger.Instance, default);
        await using var witness = new Line(new Uri(anvil.Url));
        var gateway = new RunningGateway(new StoreOptions());
        (gateway.Options.Ledger.RpcUrl, gateway.Options.Ledger.MaxStaleness) = (anvil.Url, TimeSpan.FromSeconds(5));
        gateway.Options.Ledger.WitnessUrls.Add(witness.Url);
        try
        {
            await gateway.InitializeAsync();
            var patient = await gateway.NewPatientAsync();
            var consent = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
            Assert.Equal(200, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);

            witness.Cut();
            await GatewayClient.UntilAsync(() => gateway.Insurer.GetAsync($"Patient/{patient}"), a => a.Status == 503);
            Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);
            var chain = LedgerServices.ChainOf(anvil.Url, 1337, gateway.Services.GetRequiredService<ContractSet>());
            for (var i = 0; i < 100 && !(await chain.EventsAsync()).Exists(e => e is ConsentRevokedEvent); i++) await Task.Delay(100);
            Assert.Single(await chain.EventsAsync(), e => e is ConsentRevokedEvent);

            witness.Join();
            var own = await GatewayClient.UntilAsync(() => gateway.Ehr.GetAsync($"Patient/{patient}"), a => a.Status == 200);
            Assert.Equal(200, own.Status);
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A line to a node, which can be cut.</summary>
    private sealed class Line : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly List<Socket> _ends = [];
        private readonly Uri _node;
        private readonly Task _accepting;
        private bool _isCut;

        public Line(Uri node)
        {
            _node = node;
            _listener.Start();
            _accepting = AcceptAsync();
        }

        public string Url => $"http://{_listener.LocalEndpoint}";

        public void Cut()
        {
            lock (_ends)
            {
                _isCut = true;
                _ends.ForEach(e => e.Dispose());
                _ends.Clear();
            }
        }

        public void Join()
        {
            lock (_ends) _isCut = false;
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            Cut();
            await _accepting;
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    var near = await _listener.AcceptSocketAsync();
                    var far = new Socket(SocketType.Stream, ProtocolType.Tcp);
                    lock (_ends)
                    {
                        _ends.AddRange([near, far]);
                        if (_isCut) near.Dispose();
                    }
                    _ = PassAsync(near, far);
                }
            }
            catch (SocketException)
            {
                // It was stopped.
            }
        }

        private async Task PassAsync(Socket near, Socket far)
        {
            try
            {
                using var ends = far;
                await far.ConnectAsync(_node.Host, _node.Port);
                await using var here = new NetworkStream(near, ownsSocket: true);
                await using var there = new NetworkStream(far, ownsSocket: true);
                await Task.WhenAny(here.CopyToAsync(there), there.CopyToAsync(here));
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
            {
                // One of its ends is gone.
            }
        }
    }
}
