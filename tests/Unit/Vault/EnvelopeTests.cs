using System.Security.Cryptography;
using System.Text;
using PmrGateway.Mapping;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Unit.Vault;

public sealed class EnvelopeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Every_vector_seals_and_opens_to_the_same_bytes()
    {
        var count = 0;
        foreach (var v in Vectors.Read("envelope.json").GetProperty("vectors").EnumerateArray())
        {
            byte[] Hex(string name) => Convert.FromHexString(v.GetProperty(name).GetString()!);
            var plaintext = Text(v.GetProperty("plaintext").GetString()!, v.GetProperty("size").GetInt32());
            var context = v.GetProperty("context").GetString()!;
            var body = Seal(Hex("dataKey"), context, plaintext, Hex("salt"), Hex("prefix"));
            Assert.Equal(v.GetProperty("bodySize").GetInt32(), body.Length);
            Assert.Equal(Hex("bodySha256"), SHA256.HashData(body));
            Assert.Equal(plaintext, Open(Hex("dataKey"), context, body));
            Assert.Equal(Hex("keyCommitment"), PmrGateway.Vault.Primitives.KeyCommitment(Hex("dataKey")));
            count++;
        }
        Assert.Equal(8, count);
    }

    [Fact]
    public void Every_broken_vector_is_refused()
    {
        var refusals = Vectors.Read("envelope.json").GetProperty("refusals").EnumerateArray().ToList();
        Assert.Equal(9, refusals.Count);
        foreach (var v in refusals)
        {
            Assert.Throws<SealBrokenException>(() => Open(
                Convert.FromHexString(v.GetProperty("dataKey").GetString()!),
                v.GetProperty("context").GetString()!,
                Convert.FromHexString(v.GetProperty("body").GetString()!)));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(6)]
    [InlineData(BodyLayout.FirstText)]
    [InlineData(BodyLayout.FirstText + 1)]
    [InlineData(BodyLayout.FirstText + BodyLayout.NextText)]
    [InlineData(2_500_000)]
    public void A_body_sealed_in_memory_opens_and_its_leaves_are_its_segments(int size)
    {
        var (vault, key) = New("Patient/p");
        var plaintext = RandomNumberGenerator.GetBytes(size);
        var body = vault.Seal(plaintext, "Observation", "o1", 3, key);
        Assert.Equal(plaintext, vault.Open(PermitFor("Observation", "o1", 3), body.Body, body.Key, key));
        Assert.Equal(body.Body.Chunk(1 << 20).SelectMany(SHA256.HashData), body.LeafDigests);
    }

    [Fact]
    public void A_record_opens_with_its_own_permit_only()
    {
        var (vault, key) = New("Patient/p");
        var body = vault.Seal("secret"u8, "Observation", "o1", 3, key);
        Assert.Equal("secret"u8.ToArray(), vault.Open(PermitFor("Observation", "o1", 3), body.Body, body.Key, key));
        Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o2", 3), body.Body, body.Key, key));
        Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o1", 4), body.Body, body.Key, key));
        Assert.Throws<SealBrokenException>(() => vault.UnwrapSubjectKey("Patient/q", vault.NewSubjectKey("Patient/p")));
    }

    [Fact]
    public void A_key_or_commitment_that_was_changed_is_refused()
    {
        var (vault, key) = New("Patient/p");
        var body = vault.Seal("secret"u8, "Observation", "o1", 1, key);
        byte[] Flip(byte[] bytes) => [(byte)(bytes[0] ^ 1), .. bytes[1..]];
        foreach (var broken in new[]
        {
            body.Key with { WrappedKey = Flip(body.Key.WrappedKey) },
            body.Key with { KeyCommitment = Flip(body.Key.KeyCommitment) },
            body.Key with { PlaintextDigest = Flip(body.Key.PlaintextDigest) },
            body.Key with { WrappedKey = body.Key.WrappedKey[..^1] },
        })
        {
            Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o1", 1), body.Body, broken, key));
        }
        var other = vault.UnwrapSubjectKey("Patient/p", vault.NewSubjectKey("Patient/p"));
        Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o1", 1), body.Body, body.Key, other));
    }

    [Fact]
    public void A_subject_key_serves_many_threads_at_once()
    {
        var (vault, key) = New("Patient/p");
        Parallel.For(0, 2000, i =>
        {
            var plaintext = BitConverter.GetBytes(i);
            var body = vault.Seal(plaintext, "Observation", "o1", i, key);
            Assert.Equal(plaintext, vault.Open(PermitFor("Observation", "o1", i), body.Body, body.Key, key));
        });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5000)]
    [InlineData(BodyLayout.FirstText)]
    [InlineData(BodyLayout.FirstText + 1)]
    [InlineData(BodyLayout.FirstText + BodyLayout.NextText)]
    [InlineData(3_000_000)]
    public void A_body_sealed_as_it_streams_opens_in_memory_and_segment_by_segment(int size)
    {
        var (vault, key) = New("Patient/p");
        var plaintext = RandomNumberGenerator.GetBytes(size);
        using var sealer = vault.BeginSeal("Binary", "b1", 1);
        var segments = Segments(sealer, plaintext, 10_007);
        var wrapped = sealer.Wrap(key);
        var permit = PermitFor("Binary", "b1", 1);
        var body = segments.SelectMany(s => s).ToArray();
        Assert.Equal(plaintext, vault.Open(permit, body, wrapped, key));
        Assert.All(segments.SkipLast(1), s => Assert.Equal(1 << 20, s.Length));

        using var opener = vault.BeginOpen(permit, segments[0], body.Length, wrapped, key);
        Assert.Equal((size, segments.Count), (opener.Size, opener.Segments));
        var buffer = new byte[1 << 20];
        var opened = segments.SelectMany((s, i) => buffer[..opener.Open(i, s, buffer)]).ToArray();
        Assert.Equal(plaintext, opened);
        opener.CheckWhole();
    }

    [Fact]
    public void A_segment_opens_by_itself_and_in_its_own_place_only()
    {
        var (vault, key) = New("Patient/p");
        var plaintext = RandomNumberGenerator.GetBytes(3_000_000);
        using var sealer = vault.BeginSeal("Binary", "b1", 1);
        var segments = Segments(sealer, plaintext, 1 << 16);
        var wrapped = sealer.Wrap(key);
        using var opener = vault.BeginOpen(PermitFor("Binary", "b1", 1), segments[0], segments.Sum(s => s.Length), wrapped, key);
        var text = new byte[1 << 20];
        var size = opener.Open(1, segments[1], text);
        Assert.Equal(plaintext.AsSpan(BodyLayout.FirstText, BodyLayout.NextText), text.AsSpan(0, size));
        Assert.Throws<SealBrokenException>(() => opener.Open(0, segments[1], text));
        Assert.Throws<SealBrokenException>(() => opener.Open(2, segments[1], text));
        Assert.Throws<SealBrokenException>(() => opener.Open(1, segments[2], text));
        Assert.Throws<InvalidOperationException>(opener.CheckWhole);
        Assert.Throws<SealBrokenException>(() => vault.BeginOpen(PermitFor("Binary", "b2", 1), segments[0], 100, wrapped, key));
    }

    [Fact]
    public void A_whole_that_is_not_what_was_committed_to_is_refused_at_its_end()
    {
        var (vault, key) = New("Patient/p");
        using var sealer = vault.BeginSeal("Binary", "b1", 1);
        var segments = Segments(sealer, new byte[2_000_000], 1 << 16);
        var wrapped = sealer.Wrap(key) with { PlaintextDigest = new byte[32] };
        using var opener = vault.BeginOpen(PermitFor("Binary", "b1", 1), segments[0], segments.Sum(s => s.Length), wrapped, key);
        for (var i = 0; i < segments.Count; i++) opener.Open(i, segments[i], new byte[1 << 20]);
        Assert.Throws<SealBrokenException>(opener.CheckWhole);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(BodyLayout.FirstText - 1, 0, 0)]
    [InlineData(BodyLayout.FirstText, 1, BodyLayout.FirstText)]
    [InlineData(BodyLayout.FirstText + BodyLayout.NextText - 1, 1, BodyLayout.FirstText)]
    [InlineData(BodyLayout.FirstText + BodyLayout.NextText, 2, BodyLayout.FirstText + BodyLayout.NextText)]
    public void A_byte_lies_in_the_segment_that_arithmetic_says(long offset, long segment, long start)
    {
        Assert.Equal(segment, BodyLayout.SegmentAt(offset));
        Assert.Equal(start, BodyLayout.OffsetOf(segment));
    }

    [Fact]
    public void The_keyring_is_the_same_after_a_restart_and_refuses_to_be_readable_by_others()
    {
        var path = _folder["keyring.json"];
        Assert.Equal(Keyring.Create(path).Derive("x"), Keyring.Open(path).Derive("x"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Assert.Contains("0600", Assert.Throws<KeyringException>(() => Keyring.Open(path)).Message);
    }

    [Fact]
    public void A_missing_keyring_is_not_replaced_by_a_new_one()
    {
        var path = _folder["keyring.json"];
        var missing = Assert.Throws<KeyringException>(() => Keyring.Open(path)).Message;
        Assert.Contains(path, missing);
        Assert.Contains("backup", missing);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_keyring_that_there_is_is_not_overwritten()
    {
        var path = _folder["keyring.json"];
        var first = Keyring.Create(path).CheckValue;
        Assert.Contains(path, Assert.Throws<KeyringException>(() => Keyring.Create(path)).Message);
        Assert.Equal(first, Keyring.Open(path).CheckValue);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void A_keyring_from_before_there_were_seals_is_told_that_rows_are_sealed_now_and_stays_the_same()
    {
        var path = _folder["keyring.json"];
        Assert.True(Keyring.Create(path).RowsAreSealed);
        File.WriteAllText(path, File.ReadAllText(path).Replace(",\"rowsSealed\":true", "", StringComparison.Ordinal));
        var old = Keyring.Open(path);
        Assert.False(old.RowsAreSealed);
        Assert.True(old.TryNoteSealedRows(path));
        Assert.True(Keyring.Open(path).RowsAreSealed);
        Assert.Equal(old.CheckValue, Keyring.Open(path).CheckValue);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
        Assert.False(old.TryNoteSealedRows(_folder["none/keyring.json"]));
    }

    [Fact]
    public void A_keyring_of_another_deployment_is_told_by_its_check_value()
    {
        var mine = Keyring.Create(_folder["mine.json"]);
        var other = Keyring.Create(_folder["other.json"]);
        mine.MustBe(mine.CheckValue, _folder["mine.json"]);
        var refused = Assert.Throws<KeyringException>(() => other.MustBe(mine.CheckValue, _folder["other.json"]));
        Assert.Contains(_folder["other.json"], refused.Message);
        Assert.NotEqual(mine.CheckValue, mine.Derive("internal"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"format\":\"pmr-keyring/1\",\"masterKey\":\"AAAA\"}")]
    public void A_broken_keyring_is_refused_by_name(string content)
    {
        var path = _folder["keyring.json"];
        File.WriteAllText(path, content);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Contains(path, Assert.Throws<KeyringException>(() => Keyring.Open(path)).Message);
    }

    public void Dispose() => _folder.Dispose();

    private (RecordVault Vault, SubjectKey Key) New(string subject)
    {
        var vault = new RecordVault(Keyring.Create(_folder[$"keyring-{Guid.CreateVersion7()}.json"]));
        return (vault, vault.UnwrapSubjectKey(subject, vault.NewSubjectKey(subject)));
    }

    private static Permit PermitFor(string type, string id, long version) =>
        new(new RecordFacts(type, id, "", [], []), version, PermitBasis.Author, [], 0);

    private static byte[] Seal(byte[] dataKey, string context, byte[] plaintext, byte[] salt, byte[] prefix)
    {
        using var sealer = new BodySealer(dataKey, [.. "pmr/1 data|"u8, .. Encoding.UTF8.GetBytes(context)], salt, prefix, 0);
        return [.. Segments(sealer, plaintext, 1000).SelectMany(s => s)];
    }

    private static List<byte[]> Segments(BodySealer sealer, byte[] plaintext, int piece)
    {
        var segments = new List<byte[]>();
        foreach (var chunk in plaintext.Chunk(piece))
        {
            for (var rest = chunk.AsMemory(); ;)
            {
                rest = rest[sealer.Fill(rest.Span)..];
                if (rest.Length == 0) break;
                segments.Add(sealer.SealFull().ToArray());
            }
        }
        segments.Add(sealer.SealLast().ToArray());
        return segments;
    }

    private static byte[] Open(byte[] dataKey, string context, byte[] body)
    {
        using var opener = new BodyOpener(new SegmentCipher(dataKey, Encoding.UTF8.GetBytes(context), body), [], body.Length);
        var buffer = new byte[1 << 20];
        return [.. body.Chunk(1 << 20).SelectMany((s, i) => buffer[..opener.Open(i, s, buffer)])];
    }

    private static byte[] Text(string seed, int size)
    {
        var bytes = new MemoryStream();
        for (var i = 0; i * 32 < size; i++) bytes.Write(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {i}")));
        return bytes.ToArray()[..size];
    }
}
